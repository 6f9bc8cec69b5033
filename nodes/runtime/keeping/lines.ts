/**
 * Lines of the journal: `<CRC-32 of the JSON, 8 hexadecimal digits> <JSON>\n`, all of it UTF-8. The first line is the
 * header, and stays readable in this way in every version to come.
 */
import { crc32 } from 'node:zlib';
import type { File } from './files';
import type { SavedRecord } from './keeper';
import type { Patch } from './patch';

/** Version of what comes after the header. */
export const journalVersion = 1;

/** The first line. */
export const header = { journal: 'conference-recovery', version: journalVersion };

/** Any other line: what was saved of a conference by a node. */
export type Entry =
  | { node: string; conference: string; record: SavedRecord }
  | { node: string; conference: string; patch: Patch }
  | { node: string; conference: string; removed: true }
  | { node: string; dropped: true };

/** A value as a line. */
export function lineOf(value: Entry | typeof header): string {
  const json = JSON.stringify(value);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/** What a line (without its end) says; undefined when it is damaged. */
export function parseLine(line: Buffer): unknown {
  const json = line.subarray(9);
  if (crc32(json) !== Number.parseInt(line.toString('latin1', 0, 8), 16)) return undefined;
  try {
    return JSON.parse(json.toString());
  } catch {
    return undefined;
  }
}

/** A line that is longer was never written by us. */
const longestLine = 2 ** 28;
const chunkSize = 2 ** 20;

/**
 * Gives each line (without its end; valid during the call only) to `take`, with its length in the file. Resolves with how
 * many bytes come after the last end of line: those of a line that was torn when the process, or the machine, died.
 */
export async function readLines(file: File, take: (line: Buffer, length: number) => void): Promise<number> {
  let begun: Buffer[] = [];
  let begunSize = 0;
  for (;;) {
    const { buffer: chunk, bytesRead } = await file.read(Buffer.allocUnsafe(chunkSize), 0, chunkSize);
    if (bytesRead === 0) return begunSize;
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1 && end < bytesRead; end = chunk.indexOf(10, start)) {
      const rest = chunk.subarray(start, end);
      take(begunSize > 0 ? Buffer.concat([...begun, rest]) : rest, begunSize + rest.length + 1);
      begun = [];
      begunSize = 0;
      start = end + 1;
    }
    if (start === bytesRead) continue;
    // What is too long for a line is only counted.
    if (begunSize <= longestLine) begun.push(chunk.subarray(start, bytesRead));
    begunSize += bytesRead - start;
  }
}

/** The calls of the file system that the journal makes, in one object, so that tests can let each of them fail. */
import { mkdir, open, rename, rm } from 'node:fs/promises';

export const systemFiles = { mkdir, open, rename, rm };

export type Files = typeof systemFiles;

/** An open file. */
export type File = Awaited<ReturnType<Files['open']>>;

/** Writes all of it at a position; a disk that takes only a part is asked to take the rest. */
export async function writeAt(file: File, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new Error('the disk takes no more');
    done += bytesWritten;
  }
}

/** Makes a renaming in this directory outlast a power failure. */
export async function syncDirectory(files: Files, path: string): Promise<void> {
  // Windows cannot open a directory as a file, and needs no such thing.
  if (process.platform === 'win32') return;
  const directory = await files.open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

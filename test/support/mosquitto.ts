/** Mosquitto, an MQTT broker, for tests: on a free port of the loopback interface, without persistence. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port';

/** How long it may take to start, in ms: a busy machine is no failure. */
const startTimeoutMs = 60_000;

/** Debian has it where only root looks. */
const program = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  .map((folder) => join(folder, 'mosquitto'))
  .find((path) => existsSync(path));

/** Skips a suite without Mosquitto and says why; where `CI=true` it fails instead, so that nothing is left out unseen. */
export function skipWithoutMosquitto(context: Mocha.Context): void {
  if (program) return;
  const missing = 'Not installed: mosquitto. On Debian: apt-get install mosquitto';
  if (process.env.CI === 'true') throw new Error(missing);
  console.log(`    skipped: ${missing}`);
  context.skip();
}

export class Mosquitto {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly directory: string,
  ) {}

  static async start(): Promise<Mosquitto> {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), 'mosquitto-'));
    const configuration = join(directory, 'mosquitto.conf');
    writeFileSync(configuration, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
    const child = spawn(program ?? 'mosquitto', ['-c', configuration], { stdio: 'ignore' });
    process.once('exit', () => child.kill('SIGKILL'));
    const broker = new Mosquitto(port, child, directory);
    for (const deadline = Date.now() + startTimeoutMs; !(await broker.listens()); await delay(20)) {
      if (child.exitCode === null && Date.now() < deadline) continue;
      await broker.stop();
      throw new Error(`mosquitto did not start on port ${port}`);
    }
    return broker;
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  private listens(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      const finish = (listens: boolean): void => {
        socket.destroy();
        resolve(listens);
      };
      socket.once('connect', () => finish(true));
      socket.once('error', () => finish(false));
    });
  }
}

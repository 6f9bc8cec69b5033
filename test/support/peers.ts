/**
 * Real SIP peers for tests: Kamailio as an intermediate hop (edge) and as a Focus, SIPp as a Focus. Each runs in a
 * temporary directory, on a free port of the loopback interface, in a process group of its own that can be killed or hung.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port';

const run = promisify(execFile);
const templates = join(__dirname, '..', 'peers');
const packages =
  'kamailio kamailio-presence-modules kamailio-sqlite-modules kamailio-extra-modules kamailio-websocket-modules ' +
  'kamailio-tls-modules kamailio-utils-modules sip-tester sqlite3';

/** How long a peer may take to answer its first OPTIONS, in ms: a busy machine is no failure. */
const startTimeoutMs = 60_000;
/** How long a hook that starts several of them may take, in ms. */
export const peersTimeoutMs = 120_000;

/** Says what is not installed and how to install it; null when all peers can run. */
export function missingPeers(): string | null {
  const commands = ['kamailio', 'kamcmd', 'sipp', 'sqlite3'].filter((name) => !pathOf(name));
  const modules = ['presence_conference', 'db_sqlite', 'uac', 'htable', 'websocket', 'tls'].filter(
    (name) => !existsSync(join(modulesDirectory(), `${name}.so`)),
  );
  const missing = [...commands, ...modules.map((name) => `Kamailio's module ${name}`)];
  if (missing.length === 0) return null;
  return `Not installed: ${missing.join(', ')}. On Debian: apt-get install ${packages}`;
}

/** Skips a suite without its peers and says why; where `CI=true` it fails instead, so that nothing is left out unseen. */
export function skipWithoutPeers(context: Mocha.Context): void {
  const missing = missingPeers();
  if (missing === null) return;
  if (process.env.CI === 'true') throw new Error(missing);
  console.log(`    skipped: ${missing}`);
  context.skip();
}

/** Peers that run. A test run that ends early must not leave them behind, so they go with it. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

/** A peer process that can be started again on its port after it was killed. */
export abstract class Peer {
  /** Port on `host`, UDP and TCP. */
  port = 0;
  /** Address of the loopback interface that it listens on. */
  readonly host: string = '127.0.0.1';
  /** How it is asked whether it runs. */
  protected readonly transport: 'tcp' | 'udp' = 'tcp';
  /** Whether it may end while nobody has ended it. */
  protected readonly endsByItself: boolean = false;
  protected readonly directory = mkdtempSync(join(tmpdir(), 'sip-peer-'));
  private process: ChildProcess | null = null;
  private output = '';

  /** Starts it; settles when it answers OPTIONS. */
  async start(): Promise<this> {
    const fixed = this.port !== 0;
    for (let attempt = 0; ; attempt += 1) {
      if (!fixed) this.port = await freePort();
      try {
        await this.launch();
        return this;
      } catch (error) {
        await this.kill();
        // Between finding a port free and taking it, somebody else may have had it: then it has ended by itself.
        if (fixed || attempt >= 2) throw error;
      }
    }
  }

  /** `kill -9`, with all its children: nothing is said to anybody. */
  async kill(): Promise<void> {
    const { process: child } = this;
    this.process = null;
    if (!child || hasEnded(child)) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    signalGroup(child, 'SIGKILL');
    await exited;
  }

  /** Stops all its processes where they are: a black hole that keeps its connections. */
  hang(): void {
    if (this.process) signalGroup(this.process, 'SIGSTOP');
  }

  /** Ends `hang`. */
  resume(): void {
    if (this.process) signalGroup(this.process, 'SIGCONT');
  }

  /** Kills it and removes what it has written. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  protected abstract command(): Promise<{ file: string; arguments: string[] }>;

  /** Writes a template of `test/peers` into the peer's directory. */
  protected write(name: string, values: { [placeholder: string]: string | number }): string {
    const text = readFileSync(join(templates, name), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, key: string) => {
      const value = values[key];
      if (value === undefined) throw new Error(`${name} needs ${key}`);
      return String(value);
    });
    const path = join(this.directory, name);
    writeFileSync(path, text);
    return path;
  }

  private async launch(): Promise<void> {
    const { file, arguments: parameters } = await this.command();
    this.output = '';
    const child = spawn(file, parameters, { cwd: this.directory, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const remember = (chunk: Buffer): void => {
      this.output = (this.output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', remember);
    child.stderr.on('data', remember);
    let failure: Error | null = null;
    child.on('error', (error) => {
      failure = error;
    });
    this.process = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    const deadline = Date.now() + startTimeoutMs;
    while (!(await answersOptions(this.transport, this.host, this.port))) {
      if (failure) throw failure;
      if (hasEnded(child) || Date.now() > deadline) {
        throw new Error(`${file} did not start on port ${this.port}:\n${this.output}`);
      }
      await delay(50);
    }
    if (hasEnded(child)) this.ended(child);
    else child.once('close', () => this.ended(child));
  }

  /** One that has ended by itself is started again on its port, and what it said is told with the next failure (reporter.cjs). */
  private ended(child: ChildProcess): void {
    if (this.endsByItself || this.process !== child) return;
    const end = child.signalCode ?? `status ${child.exitCode}`;
    const name = `${this.constructor.name} on port ${this.port}`;
    process.emitWarning(`${name} has ended by itself (${end}) and is started again:\n${this.output}`, 'PeerEnded');
    this.launch().catch((error: Error) => process.emitWarning(error.message, 'PeerEnded'));
  }
}

/** Kamailio, and what can be asked of it while it runs. */
abstract class KamailioPeer extends Peer {
  /** How many requests of a method have reached it since it was started. */
  async requests(method: 'INVITE' | 'UPDATE' | 'INFO' | 'BYE'): Promise<number> {
    const statistic = await this.control('stats.fetch', `rcv_requests_${method.toLowerCase()}`);
    return Number(/: (\d+)/.exec(statistic)?.[1]);
  }

  protected async control(...parameters: string[]): Promise<string> {
    const { stdout } = await run('kamcmd', ['-s', `unix:${join(this.directory, 'ctl')}`, ...parameters]);
    return stdout;
  }

  protected kamailio(
    template: string,
    values: { [placeholder: string]: string | number },
    variants: string[],
  ): { file: string; arguments: string[] } {
    const directories = { RUN_DIR: this.directory, MODULES: modulesDirectory() };
    const configuration = this.write(template, { ...directories, ...values });
    const files = ['-f', configuration, '-P', join(this.directory, 'pid'), '-Y', this.directory];
    const variantFlags = variants.flatMap((variant) => ['-A', variant]);
    return { file: 'kamailio', arguments: [...files, '-m', '64', '-M', '8', '-DD', '-E', ...variantFlags] };
  }
}

/**
 * How an edge differs from a plain one. POOL: it records `edge.pool.test`, the name that it shares with its siblings.
 * SIPRE: a route that it has forgotten is answered 430 (MS-SIPRE, 3.7). AUTH_407 and AUTH_401: it asks for the
 * credentials of `alice`, whose password is `secret`, as a proxy and as a server.
 */
export type EdgeVariant = 'POOL' | 'SIPRE' | 'AUTH_401' | 'AUTH_407';

/** What an edge may be given. */
export interface EdgeOptions {
  variants?: EdgeVariant[];
  /** With it the edge speaks TLS and secure WebSocket, on `tlsPort`. Paths of PEM files. */
  tls?: { certificate: string; key: string };
  /** An edge to stand beside: on the same ports of another address, as siblings in a pool do. */
  sibling?: KamailioEdge;
}

/** An intermediate hop: a record-routing proxy without dialog state, before a Focus. */
export class KamailioEdge extends KamailioPeer {
  override readonly host: string;
  /** Port on `host` for TLS and secure WebSocket. */
  tlsPort = 0;
  private ages = 0;

  constructor(
    private readonly focusPort: number,
    private readonly options: EdgeOptions = {},
  ) {
    super();
    const { sibling } = options;
    this.host = sibling ? '127.0.0.2' : '127.0.0.1';
    if (sibling) {
      this.port = sibling.port;
      this.tlsPort = sibling.tlsPort;
    }
  }

  /** Variant SIPRE: from now on every route that it has recorded is stale. */
  async forgetRoutes(): Promise<void> {
    this.ages += 1;
    await this.control('htable.seti', 'route', 'age', String(this.ages));
  }

  protected override async command(): Promise<{ file: string; arguments: string[] }> {
    const { variants = [], tls } = this.options;
    if (this.tlsPort === 0) this.tlsPort = await freePort();
    const values = {
      EDGE_HOST: this.host,
      EDGE_PORT: this.port,
      TLS_PORT: this.tlsPort,
      FOCUS_PORT: this.focusPort,
      CERTIFICATE: tls?.certificate ?? '',
      PRIVATE_KEY: tls?.key ?? '',
    };
    return this.kamailio('kamailio-edge.cfg', values, [...variants, ...(tls ? ['TLS'] : [])]);
  }
}

/** A small Focus with rosters; its state is lost when it is killed. */
export class KamailioFocus extends KamailioPeer {
  /** Tells it the address of the name of a pool, so that it can send to the hops that recorded that name. */
  async resolve(name: string, address: string): Promise<void> {
    // Without this it would know both addresses; on the first call there is none to delete.
    await this.control('dns.delete_a', name).catch(() => {});
    await this.control('dns.add_a', name, '3600', address, '0');
  }

  /** Makes it answer a method with a status; 1 is silence, 0 is normal. */
  async fault(method: string, status: number): Promise<void> {
    await this.control('htable.seti', 'fault', method, String(status));
  }

  protected override async command(): Promise<{ file: string; arguments: string[] }> {
    const database = join(this.directory, 'focus.db');
    for (const suffix of ['', '-wal', '-shm']) rmSync(database + suffix, { force: true });
    for (const script of ['standard-create.sql', 'presence-create.sql']) {
      await run('sqlite3', [database, `.read /usr/share/kamailio/db_sqlite/${script}`]);
    }
    return this.kamailio('kamailio-focus.cfg', { FOCUS_PORT: this.port }, []);
  }
}

/** A Focus for many dialogs; it sends one fixed roster, and over TCP it ends when a connection of its is reset. */
export class SippFocus extends Peer {
  protected override readonly endsByItself = true;

  constructor(protected override readonly transport: 'tcp' | 'udp' = 'tcp') {
    super();
  }

  protected override async command(): Promise<{ file: string; arguments: string[] }> {
    const control = await freePort();
    const address = [
      '-i',
      '127.0.0.1',
      '-p',
      `${this.port}`,
      '-mi',
      '127.0.0.1',
      '-ci',
      '127.0.0.1',
      '-cp',
      `${control}`,
    ];
    const behaviour = ['-nostdin', '-t', this.transport === 'tcp' ? 't1' : 'u1', '-l', '20000', '-deadcall_wait', '0'];
    return { file: 'sipp', arguments: ['-sf', this.write('sipp-focus.xml', {}), ...address, ...behaviour] };
  }
}

/**
 * SIPp as a participant (`sipp-participant.xml`): `user` of the server at a port is joined, watched and left. Rejects with
 * what SIPp has to say when anything is not as the scenario wants it.
 */
export async function joinWithSipp(port: number, user: string, transport: 'tcp' | 'udp'): Promise<void> {
  const [own, control] = [await freePort(), await freePort()];
  const scenario = join(templates, 'sipp-participant.xml');
  const loopback = ['-i', '127.0.0.1', '-mi', '127.0.0.1', '-ci', '127.0.0.1', '-p', `${own}`, '-cp', `${control}`];
  const behaviour = ['-m', '1', '-nostdin', '-timeout', '10', '-timeout_error'];
  const target = [`127.0.0.1:${port}`, '-sf', scenario, '-s', user, '-t', transport === 'tcp' ? 't1' : 'u1'];
  await run('sipp', [...target, ...loopback, ...behaviour], { cwd: tmpdir() });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It is gone already.
  }
}

function pathOf(command: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return directories.map((directory) => join(directory, command)).find((path) => existsSync(path));
}

function modulesDirectory(): string {
  const candidates = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'];
  const parent = candidates.find((directory) => existsSync(join(directory, 'kamailio', 'modules')));
  return join(parent ?? '/usr/lib', 'kamailio', 'modules');
}

/** Whether somebody answers OPTIONS there. */
export function answersOptions(transport: 'tcp' | 'udp', host: string, port: number): Promise<boolean> {
  const id = Math.random().toString(36).slice(2);
  const options = (localPort: number): string =>
    `OPTIONS sip:${host}:${port} SIP/2.0\r\n` +
    `Via: SIP/2.0/${transport.toUpperCase()} 127.0.0.1:${localPort};rport;branch=z9hG4bK${id}\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:ready@127.0.0.1>;tag=${id}\r\nTo: <sip:${host}:${port}>\r\nCall-ID: ${id}\r\n` +
    `CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`;
  const isAnswer = (chunk: Buffer): boolean => chunk.toString().startsWith('SIP/2.0 200');
  return new Promise((resolve) => {
    if (transport === 'udp') {
      const socket = createSocket('udp4');
      const finish = (answered: boolean): void => {
        clearTimeout(impatience);
        socket.close();
        resolve(answered);
      };
      const impatience = setTimeout(() => finish(false), 2000);
      socket.once('error', () => finish(false));
      socket.on('message', (chunk) => finish(isAnswer(chunk)));
      socket.connect(port, host, () => socket.send(options(socket.address().port)));
      return;
    }
    const socket = connect(port, host);
    const finish = (answered: boolean): void => {
      resolve(answered);
      socket.end();
      socket.setTimeout(100, () => socket.destroy());
    };
    socket.on('error', () => finish(false));
    // One that is just starting may close what it cannot serve yet, without an answer or an error.
    socket.on('close', () => finish(false));
    socket.setTimeout(2000, () => finish(false));
    socket.on('data', (chunk) => finish(isAnswer(chunk)));
    socket.on('connect', () => socket.write(options(socket.localPort ?? 0)));
  });
}

/**
 * A real Node-RED process with the pack installed, for tests of what only the real loader does: icons, locales, dialogs,
 * examples, the package itself, restarts.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port';

/** Root of this repository. */
export const packageRoot = resolve(__dirname, '../..');

export interface NodeRedOptions {
  /** Nodes of the flow file. None by default. */
  flows?: object[];
  /** `link`: a symbolic link to this repository. `tarball`: what `npm pack` would publish, unpacked. */
  install?: 'link' | 'tarball';
  /** Directory of the `node-red` package. Default: NODE_RED_PACKAGE, else the one in node_modules. */
  nodeRedPackage?: string;
  /** Directory to start in, for restarts; kept on stop. Default: a temporary one, which goes with the process. */
  userDir?: string;
  /** Further settings. They must be JSON. */
  settings?: object;
  /** How long the start may take, in milliseconds. Default 60 s: a busy machine is no failure. */
  timeoutMs?: number;
  /** Credentials of nodes, by id. */
  credentials?: { [nodeId: string]: { [name: string]: string } };
  /** A DNS server for names ending in .test, as `address:port`. */
  dns?: string;
  /** Path of a file: for as long as there is one, the disk is full. */
  fullDisk?: string;
  /** See what leaves the nodes, and send them messages: `messages`, `waitFor`, `ask`. Off by default. */
  observe?: boolean;
  /** Arguments of Node itself, such as `--expose-gc`. */
  nodeArguments?: string[];
}

/** A message that has left a node: once, however many wires it took. */
export interface SentMessage {
  nodeId: string;
  type: string;
  port: number;
  topic?: string;
  /** As JSON carries it. */
  payload: unknown;
  /** When it left, in ms since 1970. */
  leftAt: number;
}

/** What is shown under a node. */
export interface NodeStatus {
  fill?: string;
  shape?: string;
  text?: string;
}

/** What a process holds. */
export interface Census {
  /** Timers, sockets and the like that keep the process alive, by kind. */
  resources: { [kind: string]: number };
  /** Listeners for events of Node-RED, by event. */
  listeners: { [event: string]: number };
  /** Deadlines of the pack that are pending. */
  deadlines: number;
  /** Memory in use, after a garbage collection where Node was given `--expose-gc`. */
  heapBytes: number;
}

/** What is deployed: everything, the flows that have changed, or the nodes that have. */
export type DeploymentType = 'full' | 'flows' | 'nodes';

export interface NodeRedProcess {
  /** Address of the editor and of its HTTP API, without a slash at the end. */
  url: string;
  userDir: string;
  /** Everything that it has printed. */
  log(): string;
  /** With `observe`: everything that has left the nodes, oldest first. */
  messages: readonly SentMessage[];
  /** With `observe`: the first message from position `since` (default 0) on that matches, be it past or to come. */
  waitFor(
    matches: (message: SentMessage) => boolean,
    options?: { since?: number; withinMs?: number },
  ): Promise<SentMessage>;
  /** With `observe`: hands a node a message, as an inject node wired to it would. */
  ask(nodeId: string, payload: unknown): void;
  /** With `observe`: when its flows have started, each time, in ms since 1970. */
  starts: readonly number[];
  /** With `observe`: the latest status of each node, by id. */
  statuses: ReadonlyMap<string, NodeStatus>;
  /** With `observe`: how long nothing in it could run at the most, since its flows started, in ms; and when it last could. */
  alive(): { stalledMs: number; lastAt: number };
  /** With `observe`: deploys other flows, as the editor does, and waits until they have started. */
  deploy(flows: object[], type: DeploymentType): Promise<void>;
  /** With `observe`: counts what it holds. */
  census(): Promise<Census>;
  /** Ends it, and waits until it has. A `SIGKILL` stands for a crash. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts Node-RED and waits until its flows run. Rejects with its log when they do not within the time. */
export async function startNodeRed(options: NodeRedOptions = {}): Promise<NodeRedProcess> {
  const nodeRed = resolve(
    options.nodeRedPackage ?? process.env.NODE_RED_PACKAGE ?? join(packageRoot, 'node_modules/node-red'),
  );
  const userDir = options.userDir ?? mkdtempSync(join(tmpdir(), 'conference-recovery-'));
  const port = await freePort();
  install(userDir, options.install ?? 'link');
  if (options.flows || !options.userDir) {
    writeFileSync(join(userDir, 'flows.json'), JSON.stringify(options.flows ?? []));
  }
  if (options.credentials) writeFileSync(join(userDir, 'flows_cred.json'), JSON.stringify(options.credentials));
  const settings = { ...quietSettings, uiPort: port, ...options.settings };
  const folders = [nodeRed, join(userDir, 'node_modules', manifest().name)].map((folder) => JSON.stringify(folder));
  const bridge = options.observe ? `require(${JSON.stringify(join(__dirname, 'bridge.cjs'))})(${folders});\n` : '';
  const dns = options.dns
    ? `require(${JSON.stringify(join(__dirname, 'dns-of-process.cjs'))})(${JSON.stringify(options.dns)});\n`
    : '';
  const disk = options.fullDisk
    ? `require(${JSON.stringify(join(__dirname, 'disk-of-process.cjs'))})(${JSON.stringify(options.fullDisk)});\n`
    : '';
  // What stands in for the system comes first: the bridge loads parts of the pack.
  writeFileSync(
    join(userDir, 'settings.js'),
    `${disk}${dns}${bridge}module.exports = ${JSON.stringify(settings, null, 2)};\n`,
  );

  const nodeArguments = options.nodeArguments ?? [];
  const child = spawn(process.execPath, [...nodeArguments, join(nodeRed, 'red.js'), '--userDir', userDir], {
    cwd: userDir,
    stdio: ['ignore', 'pipe', 'pipe', ...(options.observe ? (['ipc'] as const) : [])],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (log += chunk));
  const observer = new Observer(child);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    await end(child, signal);
    if (!options.userDir) rmSync(userDir, { recursive: true, force: true });
  };

  const deadline = Date.now() + (options.timeoutMs ?? 60_000);
  // Flows with unknown types never start; that too is a state to test.
  while (!/Started flows|Flows sind gestartet|フローを開始しました|Waiting for missing types/.test(log)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop('SIGKILL');
      throw new Error(`Node-RED did not start:\n${log}`);
    }
    await sleep(20);
  }
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    userDir,
    log: () => log,
    messages: observer.messages,
    waitFor: (matches, { since = 0, withinMs = 30_000 } = {}) => observer.waitFor(matches, since, withinMs),
    ask: (nodeId, payload) => void child.send({ nodeId, payload }),
    starts: observer.starts,
    statuses: observer.statuses,
    alive: () => observer.alive,
    async deploy(flows, type) {
      const started = observer.next('start');
      const kind = { 'Content-Type': 'application/json', 'Node-RED-Deployment-Type': type };
      // No connection of ours is left for a census to count.
      const headers = { ...kind, Connection: 'close' };
      const response = await fetch(`${url}/flows`, { method: 'POST', headers, body: JSON.stringify(flows) });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      await started;
    },
    census() {
      const counted = observer.next('census');
      child.send({});
      return counted;
    },
    stop,
  };
}

/** What the bridge tells: one of these. */
interface Told {
  message?: SentMessage;
  startedAt?: number;
  aliveAt?: number;
  status?: NodeStatus & { id: string };
  census?: Census;
}

/** Our side of the bridge: collects what leaves the nodes of a process. */
class Observer {
  readonly messages: SentMessage[] = [];
  readonly starts: number[] = [];
  readonly statuses = new Map<string, NodeStatus>();
  alive = { stalledMs: 0, lastAt: 0 };
  private readonly watchers = new Set<(message: SentMessage) => void>();
  private readonly others = new EventEmitter();

  constructor(child: ChildProcess) {
    child.on('message', ({ message, startedAt, aliveAt, status, census }: Told) => {
      if (startedAt !== undefined) {
        this.starts.push(startedAt);
        this.alive = { stalledMs: 0, lastAt: startedAt };
        this.others.emit('start');
      }
      if (aliveAt !== undefined) {
        const { stalledMs, lastAt } = this.alive;
        this.alive = { stalledMs: Math.max(stalledMs, aliveAt - lastAt), lastAt: aliveAt };
      }
      if (status) this.statuses.set(status.id, status);
      if (census) this.others.emit('census', census);
      if (!message) return;
      this.messages.push(message);
      for (const watch of this.watchers) watch(message);
    });
  }

  /** The next start of the flows, or the next census. */
  async next(what: 'start'): Promise<void>;
  async next(what: 'census'): Promise<Census>;
  async next(what: string): Promise<unknown> {
    const [told] = await once(this.others, what, { signal: AbortSignal.timeout(60_000) });
    return told;
  }

  waitFor(matches: (message: SentMessage) => boolean, since: number, withinMs: number): Promise<SentMessage> {
    const past = this.messages.slice(since).find(matches);
    if (past) return Promise.resolve(past);
    return new Promise((found, missed) => {
      const impatience = setTimeout(() => {
        this.watchers.delete(watch);
        missed(new Error(`no such message within ${withinMs} ms`));
      }, withinMs);
      const watch = (message: SentMessage): void => {
        if (!matches(message)) return;
        clearTimeout(impatience);
        this.watchers.delete(watch);
        found(message);
      };
      this.watchers.add(watch);
    });
  }
}

/** Nothing that asks, phones home or reaches out. */
const quietSettings = {
  uiHost: '127.0.0.1',
  flowFile: 'flows.json',
  credentialSecret: 'test',
  telemetry: { enabled: false, updateNotification: false },
  externalModules: { palette: { allowInstall: false } },
  editorTheme: { tours: false, projects: { enabled: false } },
};

/** Puts the pack into `userDir`. */
function install(userDir: string, how: 'link' | 'tarball'): void {
  const { name } = manifest();
  const target = join(userDir, 'node_modules', name);
  rmSync(target, { recursive: true, force: true });
  link(how === 'link' ? packageRoot : unpacked(), target);
}

function manifest(): { name: string; dependencies: { [name: string]: string } } {
  return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
}

let installation: string | undefined;

/**
 * The tarball, unpacked once per test run, which also removes it; with its dependencies from this repository, so that tests
 * need no registry. Returns its folder.
 */
function unpacked(): string {
  if (!installation) {
    installation = mkdtempSync(join(dirname(packed()), 'unpacked-'));
    execFileSync('tar', [
      '--extract',
      '--gzip',
      '--strip-components=1',
      '--file',
      packed(),
      '--directory',
      installation,
    ]);
    for (const dependency of Object.keys(manifest().dependencies)) {
      link(join(packageRoot, 'node_modules', dependency), join(installation, 'node_modules', dependency));
    }
  }
  return installation;
}

let tarball: string | undefined;

/** The tarball that would be published, made once per test run, which also removes it. Returns its path. */
export function packed(): string {
  if (!tarball) {
    const folder = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    tarball = pack(folder);
  }
  return tarball;
}

/** The tarball that would be published, made in `folder` from the present `dist/`. Returns its path. */
export function pack(folder: string): string {
  const report = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: packageRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // A list in npm 10 and 11, an object by package name in later ones.
  const [{ filename }] = Object.values<{ filename: string }>(JSON.parse(report)) as [{ filename: string }];
  return join(folder, filename);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path, 'junction');
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolved) => child.once('exit', resolved));
  child.kill(signal);
  const impatience = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(impatience);
}

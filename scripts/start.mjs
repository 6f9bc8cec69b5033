/**
 * `npm start`: Node-RED on a free port of this machine with the canonical flow on the embedded pool, in a folder of its
 * own (`.node-red`, made afresh). Joins a conference, plays one failure of each level, and tells what the flow does about
 * it. Only looks on: the messages that it prints are those that leave the nodes.
 *
 *   --once              exit after the three failures: with 0 when all have recovered, else with 1
 *   --flow FILE         another flow than examples/canonical.json
 *   --folder DIR        another folder than .node-red; emptied first
 *   --patience SECONDS  how long each thing that must happen may take; 45 by default
 *
 * The environment variable NODE_RED_PACKAGE is the folder of another Node-RED than the one in node_modules.
 */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    flow: { type: 'string', default: `${root}examples/canonical.json` },
    folder: { type: 'string', default: `${root}.node-red` },
    patience: { type: 'string', default: '45' },
  },
});

/** How long one thing that must happen may take. */
const patienceMs = Number(options.patience) * 1000;
if (!(patienceMs > 0)) {
  console.error(`--patience ${options.patience}: not a number of seconds`);
  process.exit(2);
}
const hopBrokenForMs = 6_000;

const flow = JSON.parse(readFileSync(options.flow, 'utf8'));
const { name } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const userDir = resolve(options.folder);
rmSync(userDir, { recursive: true, force: true });
const installed = `${userDir}/node_modules/${name}`;
mkdirSync(dirname(installed), { recursive: true });
symlinkSync(root, installed, 'junction');
writeFileSync(`${userDir}/flows.json`, JSON.stringify(flow, null, 2));

const nodeRed = process.env.NODE_RED_PACKAGE ?? 'node-red';
const RED = require(nodeRed);
// Node-RED's own parts, wherever npm has put them.
const ofNodeRed = createRequire(require.resolve(nodeRed));
const { hooks, events: nodeRedEvents } = ofNodeRed('@node-red/util');
const express = ofNodeRed('express');

const port = await listen(1880).catch(() => listen(0));
const app = express();
const server = createServer(app);
RED.init(server, {
  userDir,
  flowFile: 'flows.json',
  credentialSecret: 'conference-recovery',
  httpAdminRoot: '/',
  httpNodeRoot: '/',
  uiHost: '127.0.0.1',
  uiPort: port,
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: 'error' } },
  editorTheme: { tours: false },
});
app.use('/', RED.httpAdmin);

// --------------------------------------------------------------------------------------------------------- looking on

const seen = new Set();
const waiting = new Set();

hooks.add('onSend.start', (events) => {
  for (const { msg, source } of events) {
    for (const fact of [msg.payload].flat()) {
      if (!fact?.event || fact.source !== source.node?.type) continue;
      const key = `${source.id} ${fact.seq}`;
      if (seen.has(key)) continue;
      seen.add(key);
      show(fact);
      for (const wait of waiting) wait(fact);
    }
  }
});

/** Resolves with the first fact that answers the description; rejects when none comes in time. */
function when(what, matches) {
  const fact = new Promise((found, missed) => {
    const timer = setTimeout(() => {
      waiting.delete(look);
      missed(new Error(`${what} was not seen within ${patienceMs / 1000} s`));
    }, patienceMs);
    const look = (fact) => {
      if (!matches(fact)) return;
      clearTimeout(timer);
      waiting.delete(look);
      found(fact);
    };
    waiting.add(look);
  });
  // After the first thing that was missed, nobody waits for the others of the same failure.
  fact.catch(() => {});
  return fact;
}

const session = (state) =>
  when(
    `the session ${state}`,
    (fact) => fact.source === 'conference-session' && fact.event === 'state-changed' && fact.state === state,
  );
const mcu = (name, state) =>
  when(
    `the ${name} MCU ${state}`,
    (fact) =>
      fact.source === 'mcu-session' && fact.event === 'state-changed' && fact.mcu === name && fact.state === state,
  );
const call = (state) =>
  when(`the call ${state}`, (fact) => fact.event === 'call-state-changed' && fact.state === state);
const failed = (code) =>
  when(`an operation failed with ${code}`, (fact) => fact.event === 'operation-failed' && fact.error.code === code);

const colours = { info: '', warning: '\x1b[33m', error: '\x1b[31m', critical: '\x1b[1;31m' };

function show(fact) {
  const text = tell(fact);
  if (!text) return;
  const [on, off] = process.stdout.isTTY && colours[fact.severity] ? [colours[fact.severity], '\x1b[0m'] : ['', ''];
  console.log(`${on}${fact.at.slice(11, 23)}  ${fact.source.padEnd(18)}  ${text}${off}`);
}

function tell(fact) {
  switch (fact.event) {
    case 'state-changed': {
      const lasted = fact.endedAt ? `, recovered in ${seconds(fact.elapsedMs)}` : '';
      const mode = fact.mode ? ` (${fact.mode})` : '';
      const who = fact.mcu ? `${fact.mcu}: ` : '';
      const why = fact.explanation ? `\n${' '.repeat(34)}${fact.explanation}` : '';
      return `${who}${fact.previous} → ${fact.state}${mode}, ${fact.reason}${fact.state === 'Disconnecting' ? '' : lasted}${why}`;
    }
    case 'mode-changed':
      return `${fact.previousMode} → ${fact.mode}`;
    case 'call-state-changed':
      return `${fact.mcu} call: ${fact.previous} → ${fact.state}, ${fact.reason}`;
    case 'roster-changed':
      return fact.mcu
        ? null
        : `roster: ${fact.joined.length} joined, ${fact.left.length} left, ${fact.changed.length} changed (${fact.cause})`;
    case 'operation-failed':
      return `${fact.operation} failed: ${fact.error.name}, ${fact.error.code}${fact.error.retryable ? ' (may be tried again)' : ''}`;
    case 'failover-detected':
      return `${fact.mcu ?? fact.level} ${fact.phase}, by rule ${fact.rule}`;
    case 'heal-attempted':
      return `healing attempt ${fact.attempt}: ${fact.outcome}`;
    case 'route-status-changed':
      return `route ${fact.status}`;
    case 'healing-abandoned':
    case 'gave-up':
      return fact.explanation ?? `healing abandoned: ${fact.reason}`;
    default:
      return null;
  }
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}

// ------------------------------------------------------------------------------------------------------ the three failures

function node(type, mcuName) {
  const config = flow.find((one) => one.type === type && (!mcuName || one.mcu === mcuName));
  const found = config && RED.nodes.getNode(config.id);
  if (!found) throw new Error(`the flow has no running ${mcuName ?? ''} ${type} node`);
  return found;
}

/** Gives a node of the flow a message, as an inject node would. */
function ask(type, payload, mcuName) {
  node(type, mcuName).receive({ payload });
}

const failures = [
  {
    title: 'The front end of the Focus dies',
    expected: 'pending operation SessionRetrying, new one RetryableOperation, one re-join, call kept',
    async play() {
      let callEnded = false;
      const watch = (fact) => {
        if (fact.event === 'call-state-changed' && fact.state === 'Terminated') callEnded = true;
      };
      waiting.add(watch);
      const seen = [
        session('Reconnecting'),
        failed('SessionRetrying'),
        session('Connected'),
        mcu('audio-video', 'Active'),
      ];
      ask('fault-injector', 'kill-front-end');
      ask('conference-session', { command: 'lock' });
      ask('fault-injector', { command: 'participant-join', participant: 'sip:edsger@pool.example' });
      const [lost] = await Promise.all(seen.slice(0, 2));
      const refused = failed('RetryableOperation');
      ask('conference-session', { command: 'unlock' });
      await refused;
      const [, , connected] = await Promise.all(seen);
      waiting.delete(watch);
      if (callEnded) throw new Error('the call was ended');
      if (lost.mode !== 'rejoining') throw new Error(`the mode was ${lost.mode}`);
      return connected.elapsedMs;
    },
  },
  {
    title: 'The audio-video MCU fails over',
    expected: 'that call ended, session stays Connected, call placed again',
    async play() {
      const seen = [mcu('audio-video', 'Retrying'), call('Terminated'), mcu('audio-video', 'Active')];
      ask('fault-injector', { command: 'roll-over-mcu', mcu: 'audio-video' });
      const [retrying, , active] = await Promise.all(seen);
      const established = call('Established');
      ask('mcu-session', { command: 'call', media: ['audio'] }, 'audio-video');
      await established;
      return Date.parse(active.at) - Date.parse(retrying.at);
    },
  },
  {
    title: `A hop of the route is dead for ${hopBrokenForMs / 1000} s`,
    expected: 'repair fails, UPDATEs until the route is Healthy, same dialog',
    async play() {
      const seen = [
        session('Reconnecting'),
        when('the route Healthy', (fact) => fact.status === 'Healthy'),
        session('Connected'),
      ];
      ask('fault-injector', { command: 'break-hop', how: 'refuse', forMs: hopBrokenForMs });
      const [lost, , connected] = await Promise.all(seen);
      if (lost.mode !== 'recovering') throw new Error(`the mode was ${lost.mode}`);
      return connected.elapsedMs;
    },
  },
];

async function play() {
  const joined = Promise.all([session('Connected'), mcu('audio-video', 'Active')]);
  ask('conference-session', 'join');
  await joined;
  const established = call('Established');
  ask('mcu-session', { command: 'call', media: ['audio'] }, 'audio-video');
  await established;
  const rows = [];
  for (const { title, expected, play: playOne } of failures) {
    await new Promise((resolved) => setTimeout(resolved, 500));
    console.log(`\n— ${title} —`);
    try {
      rows.push({ failure: title, result: 'recovered', in: seconds(await playOne()), seen: expected });
    } catch (error) {
      rows.push({ failure: title, result: 'NOT RECOVERED', in: '', seen: error.message });
    }
  }
  return rows;
}

function printTable(rows) {
  const columns = ['failure', 'result', 'in', 'seen'];
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => row[column].length)));
  const line = (cells) =>
    console.log(
      cells
        .map((cell, index) => cell.padEnd(widths[index]))
        .join('  ')
        .trimEnd(),
    );
  console.log('');
  line(columns.map((column) => column.toUpperCase()));
  for (const row of rows) line(columns.map((column) => row[column]));
}

// ---------------------------------------------------------------------------------------------------------------- running

/** Finds out whether a port is free; 0 finds a free one. */
function listen(wanted) {
  return new Promise((found, taken) => {
    const probe = createServer().on('error', taken);
    probe.listen(wanted, '127.0.0.1', () => {
      const { port: free } = probe.address();
      probe.close(() => found(free));
    });
  });
}

async function stop(code) {
  // A failure that nobody waits for any more must not keep the process.
  setTimeout(() => process.exit(code), 5_000).unref();
  await RED.stop();
  process.exit(code);
}

process.on('SIGINT', () => stop(0));
process.on('SIGTERM', () => stop(0));

const started = new Promise((resolved) => nodeRedEvents.once('flows:started', resolved));
await RED.start();
await new Promise((resolved) => server.listen(port, '127.0.0.1', resolved));
await started;
console.log(`The canonical flow runs in the editor at http://127.0.0.1:${port}/\n`);

let rows;
try {
  rows = await play();
} catch (error) {
  rows = [{ failure: 'The first join', result: 'FAILED', in: '', seen: error.message }];
}
printTable(rows);
const recovered = rows.length === failures.length && rows.every(({ result }) => result === 'recovered');
if (options.once) {
  await stop(recovered ? 0 : 1);
} else {
  console.log(`\nThe editor is at http://127.0.0.1:${port}/ — press the buttons there. Ctrl-C stops it all.`);
}

/**
 * Runs within a Node-RED process under test: tells the parent process, over IPC, what leaves the nodes, when flows have
 * started, and what the process holds; and hands nodes what the parent sends. `settings.js` loads it (see
 * node-red-process.ts); the flow itself stays as it is.
 */
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { setImmediate: turn } = require('node:timers/promises');

/** Folders of Node-RED, and of the pack as it is installed there. */
module.exports = function bridge(nodeRed, pack) {
  // Node-RED's own copies: a hook of another copy of @node-red/util would never be called.
  const requireThere = createRequire(join(nodeRed, 'red.js'));
  const { events, hooks } = requireThere('@node-red/util');
  const RED = requireThere('./lib/red.js');
  const { deadlines } = require(join(pack, 'dist/runtime/deadlines.js'));
  const tell = (told) => process.connected && process.send(told);

  hooks.add('onSend.test', (sent) => {
    sent.forEach(({ msg, source }, index) => {
      // One event per wire: a message that goes to three nodes has left once.
      const isFirst = sent.findIndex((one) => one.msg === msg && one.source.port === source.port) === index;
      if (!isFirst) return;
      const { topic, payload } = msg;
      const { id: nodeId, node, port } = source;
      tell({ message: { nodeId, type: node.type, port, topic, payload, leftAt: Date.now() } });
    });
  });

  events.on('node-status', ({ id, status }) => tell({ status: { id, ...status } }));
  events.on('flows:started', () => tell({ startedAt: Date.now() }));
  // A sign of life, so that what is late can be told from what nobody had the time for.
  setInterval(() => tell({ aliveAt: Date.now() }), 20).unref();

  const countByName = (names) => {
    const counts = {};
    for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  };

  const census = async () => {
    // What was put off until later turns is done by then.
    for (let turns = 0; turns < 10; turns += 1) await turn();
    global.gc?.();
    return {
      resources: countByName(process.getActiveResourcesInfo()),
      listeners: countByName(events.eventNames().flatMap((name) => events.listeners(name).map(() => String(name)))),
      deadlines: deadlines.size,
      heapBytes: process.memoryUsage().heapUsed,
    };
  };

  process.on('message', async ({ nodeId, payload }) => {
    if (nodeId === undefined) return tell({ census: await census() });
    const node = RED.nodes.getNode(nodeId);
    if (!node) throw new Error(`no node ${nodeId} runs here`);
    node.receive({ payload });
  });

  // A test run that is killed must not leave Node-RED behind.
  process.once('disconnect', () => process.exit());
};

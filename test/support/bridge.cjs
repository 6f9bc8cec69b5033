/**
 * Runs within a Node-RED process under test: tells the parent process, over IPC, what leaves the nodes, and hands nodes
 * what the parent sends. `settings.js` loads it (see node-red-process.ts); the flow itself stays as it is.
 */
const { createRequire } = require('node:module');
const { join } = require('node:path');

module.exports = function bridge(nodeRedPackage) {
  // Node-RED's own copies: a hook of another copy of @node-red/util would never be called.
  const requireThere = createRequire(join(nodeRedPackage, 'red.js'));
  const { hooks } = requireThere('@node-red/util');
  const RED = requireThere('./lib/red.js');

  hooks.add('onSend.test', (events) => {
    if (!process.connected) return;
    events.forEach(({ msg, source }, index) => {
      // One event per wire: a message that goes to three nodes has left once.
      const isFirst = events.findIndex((one) => one.msg === msg && one.source.port === source.port) === index;
      const { topic, payload } = msg;
      if (isFirst) process.send({ nodeId: source.id, type: source.node.type, port: source.port, topic, payload });
    });
  });

  process.on('message', ({ nodeId, payload }) => {
    const node = RED.nodes.getNode(nodeId);
    if (!node) throw new Error(`no node ${nodeId} runs here`);
    node.receive({ payload });
  });

  // A test run that is killed must not leave Node-RED behind.
  process.once('disconnect', () => process.exit());
};

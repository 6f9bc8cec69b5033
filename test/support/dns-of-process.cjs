/** Runs within a Node-RED process under test: names ending in .test are asked of a DNS stub (see dns-stub.ts). */
const dns = require('node:dns/promises');

module.exports = function askStub(address) {
  const { lookup, Resolver } = dns;
  dns.Resolver = class extends Resolver {
    constructor(options) {
      super(options);
      this.setServers([address]);
    }
  };
  const stub = new dns.Resolver();
  dns.lookup = async (name, options) => {
    if (!name.endsWith('.test')) return lookup(name, options);
    const addresses = options.family === 6 ? await stub.resolve6(name) : await stub.resolve4(name);
    return addresses.map((each) => ({ address: each, family: options.family }));
  };
};

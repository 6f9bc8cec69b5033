/**
 * Runs within a Node-RED process under test: its disk is full for as long as there is a file of the given path. What is
 * written to open files fails then, as the system has it (write(2), ENOSPC).
 */
const { existsSync } = require('node:fs');
const promises = require('node:fs/promises');

module.exports = function fillDisk(path) {
  const { open } = promises;
  promises.open = async (...given) => {
    const file = await open(...given);
    for (const name of ['write', 'writev', 'writeFile', 'appendFile', 'datasync', 'sync']) {
      const original = file[name].bind(file);
      file[name] = async (...data) => {
        if (!existsSync(path)) return original(...data);
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
      };
    }
    return file;
  };
};

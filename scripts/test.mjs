/**
 * `npm test`: every test that this machine can run. Says first which outside servers are missing and how to get them, and
 * last how many passed. Arguments are the test files to run, all by default.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** What some tests need besides npm's packages, with the Debian packages that bring it. */
const outside = [
  {
    program: 'kamailio',
    packages:
      'kamailio kamailio-presence-modules kamailio-sqlite-modules kamailio-extra-modules kamailio-websocket-modules kamailio-tls-modules kamailio-utils-modules sqlite3',
    tests: 'SIP against a real Focus and a real hop',
  },
  { program: 'sipp', packages: 'sip-tester', tests: 'SIP against SIPp' },
  { program: 'mosquitto', packages: 'mosquitto', tests: 'handing conferences over by MQTT' },
  { program: 'tshark', packages: 'tshark', tests: 'what Wireshark thinks of our messages' },
  { program: 'chromium', packages: 'chromium', tests: 'the dialogs in a real browser' },
];

function isInstalled(program) {
  return [...process.env.PATH.split(delimiter), '/usr/sbin'].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

for (const { program, packages, tests } of outside) {
  if (isInstalled(program)) continue;
  console.log(`${program} is not installed: tests of ${tests} are skipped. To run them: apt-get install ${packages}`);
}

const folder = mkdtempSync(join(tmpdir(), 'conference-recovery-test-'));
const counts = process.env.TEST_COUNTS ?? join(folder, 'counts');
const files = process.argv.length > 2 ? process.argv.slice(2) : ['test/**/*.spec.ts'];
const mocha = spawnSync(process.execPath, ['node_modules/mocha/bin/mocha.js', ...files], {
  stdio: 'inherit',
  env: { ...process.env, TEST_COUNTS: counts },
});
if (!process.env.TEST_COUNTS && mocha.status !== null) {
  const [passed, failed, skipped] = readFileSync(counts, 'utf8').trim().split(' ');
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
}
rmSync(folder, { recursive: true, force: true });
process.exit(mocha.status ?? 1);

/** A store that cannot be written: said once, and no conference is harmed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OperationCompleted, OperationFailed, SessionStatus } from '../../nodes/recovery/messages';
import { Drill, flowWith, merge, quick } from '../package/drill';
import type { NodeRedOptions } from '../support/node-red-process';

/** State is kept by the session only: one node, one complaint. */
const flow = flowWith(merge(quick, { 'conference-session': { keepState: 'journal' } }));

describe('drill: a store that cannot be written', function () {
  this.timeout(120_000);
  let userDir: string;
  let full: string;
  let drill: Drill | undefined;

  beforeEach(() => {
    userDir = mkdtempSync(join(tmpdir(), 'conference-recovery-'));
    full = join(userDir, 'full');
  });

  afterEach(async () => {
    await drill?.stop();
    drill = undefined;
    rmSync(userDir, { recursive: true, force: true });
  });

  const start = async (options: NodeRedOptions = {}): Promise<Drill> => {
    drill = await Drill.start(flow, { userDir, ...options });
    return drill;
  };

  const session = flow.find(({ type }) => type === 'conference-session')?.id ?? '';

  /** The status of the session node, as an editor that connects now would be shown it. */
  const statusOf = (running: Drill) => running.nodeRed.statuses.get(session);

  const told = async (running: Drill): Promise<OperationFailed> => {
    const failure = await running.next<OperationFailed>({ event: 'operation-failed', operation: 'keep-state' });
    assert.equal(failure.error.code, 'StateNotKept');
    assert.equal(failure.error.name, 'InvalidOperationException');
    assert.equal(statusOf(running)?.fill, 'red');
    return failure;
  };

  /** A conference goes on as if nothing were wrong: operations, a fault, leaving. */
  const use = async (running: Drill): Promise<void> => {
    running.mark();
    running.ask('conference-session', 'lock');
    await running.next<OperationCompleted>({ event: 'operation-completed', operation: 'lock' });
    running.ask('fault-injector', { command: 'break-hop', how: 'refuse', forMs: 300 });
    await running.session('Reconnecting');
    await running.session('Connected');
    assert.deepEqual(running.path(), ['Reconnecting (recovering) RouteBroken', 'Connected RouteHealed']);
  };

  it('there from the start: one typed error, red status, and conferences as ever (PER-2)', async () => {
    writeFileSync(join(userDir, 'conference-recovery'), 'This is where the directory of the journal should be.');
    const running = await start();
    await told(running);
    await running.join();
    await use(running);
    assert.equal(statusOf(running)?.fill, 'red');
    running.mark();
    running.ask('conference-session', 'terminate');
    await running.session('Disconnected');
    running.check();
    const complaints = running.nodeRed.messages.filter(
      ({ payload }) => (payload as Partial<OperationFailed>).operation === 'keep-state',
    );
    assert.equal(complaints.length, 1);
  });

  it('the disk fills up, and is emptied again: the same, and all is kept then (PER-2)', async () => {
    const running = await start({ fullDisk: full });
    await running.join();
    writeFileSync(full, '');
    running.mark();
    running.ask('conference-session', 'lock');
    const { error } = await told(running);
    assert.match(error.message, /ENOSPC|no space/i);
    await use(running);
    rmSync(full);
    running.mark();
    running.ask('conference-session', 'unlock');
    await running.next<OperationCompleted>({ event: 'operation-completed', operation: 'unlock' });
    for (const deadline = Date.now() + 15_000; statusOf(running)?.fill !== 'green'; ) {
      assert.ok(Date.now() < deadline, JSON.stringify(statusOf(running)));
      await new Promise((later) => setTimeout(later, 50));
    }
    running.check();
    await running.nodeRed.stop('SIGKILL');

    const next = await start();
    const first = await next.next<SessionStatus>({ event: 'session-status' });
    assert.ok(first.restored);
    assert.equal(first.state, 'Connected');
  });
});

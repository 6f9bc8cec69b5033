/** MCU sessions in any state, and what they hear. */
import {
  type McuSessionEffect,
  type McuSessionInput,
  type McuSessionState,
  mcuSession,
  mcuSessionDefaults,
} from '../../nodes/recovery/mcu-session';
import type { FailoverDetected, JsonObject, McuReport, Participant } from '../../nodes/recovery/messages';
import { CONFERENCE, Driver } from '../support/driver';

export type Mcu = Driver<McuSessionState, McuSessionInput, McuSessionEffect>;

export function newMcu(mcu = 'audio-video'): Mcu {
  return new Driver<McuSessionState, McuSessionInput, McuSessionEffect>(
    mcuSession.start(CONFERENCE, mcu),
    (state, input, moment) => mcuSession.step(state, input, moment, mcuSessionDefaults),
    (deadline) => ({ input: 'deadline', deadline }),
  );
}

export function bound(report: McuReport = 'active'): Mcu {
  const mcu = newMcu();
  mcu.give({ input: 'joined', dialog: 1, mcus: { 'audio-video': report } });
  return mcu;
}

export function operation(operationId: string, name: string, given: JsonObject = {}): McuSessionInput {
  return { input: 'operation', operation: name, operationId, arguments: given };
}

export function withCall(): Mcu {
  const mcu = bound();
  mcu.give(operation('call-1', 'call', { media: ['audio'] }));
  mcu.give({ event: 'call-accepted', callId: 'call-1', mcu: 'audio-video' });
  return mcu;
}

export function verdict(seq = 10): McuSessionInput {
  const evidence = [{ signal: 'mcu-report' as const, at: '2026-01-01T00:00:00.000Z', seq, rule: 'mcu' }];
  return {
    input: 'verdict',
    verdict: {
      level: 'mcu',
      phase: 'failed',
      mcu: 'audio-video',
      incident: 'outage-1',
      evidence,
    } as unknown as FailoverDetected,
  };
}

export const report = (said: McuReport, seq: number): McuSessionInput => ({ input: 'report', report: said, seq });
export const focusFailed = {
  input: 'reconnecting',
  focusFailed: true,
  incident: { id: 'outage-2', startedAt: 0 },
} as const;
export const routeLost = { ...focusFailed, focusFailed: false } as const;
export const stateOf = (mcu: Mcu) => mcuSession.stateOf(mcu.state);

export function person(name: string, ...types: string[]): Participant {
  const media = types.map((type, index) => ({ id: String(index), type }));
  return { entity: `sip:${name}@pool.example`, roles: [], endpoints: [{ entity: name, media }] };
}

export const failedOver = () => given(bound(), verdict());
export const idleWithCall = () =>
  given(
    withCall(),
    focusFailed,
    { input: 'recovered' },
    { input: 'joined', dialog: 2, mcus: { 'audio-video': 'inactive' } },
  );
export const retryingWithCall = () => given(withCall(), focusFailed);
export const terminated = () => given(bound(), { input: 'terminated' });

export function given(mcu: Mcu, ...inputs: McuSessionInput[]): Mcu {
  for (const input of inputs) mcu.give(input);
  return mcu;
}

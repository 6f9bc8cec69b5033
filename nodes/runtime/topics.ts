/** Topics of facts: stable paths, fit for MQTT (contract, section 1, rule 5). */
import type { Fact } from '../recovery/messages';

/** The last part of a fact's topic, after `conference/<name>/`. */
export function topicPath(fact: Fact): string {
  switch (fact.event) {
    case 'state-changed':
      return fact.source === 'mcu-session' ? `mcu/${levelOf(fact.mcu)}/state` : 'state';
    case 'mode-changed':
    case 'session-status':
      return 'state';
    case 'call-state-changed':
    case 'media-changed':
    case 'text-received':
    case 'call-available':
      return `mcu/${levelOf(fact.mcu)}/call`;
    case 'roster-changed':
      return fact.mcu === undefined ? 'roster' : `mcu/${levelOf(fact.mcu)}/roster`;
    case 'lobby-changed':
    case 'properties-changed':
      return 'roster';
    case 'operation-completed':
    case 'detector-status':
    case 'healer-status':
    case 'give-up-status':
      return 'result';
    case 'operation-failed':
      return 'error';
    case 'signal':
      return 'signal';
    case 'failover-detected':
    case 'suppression-changed':
      return 'failover';
    case 'route-status-changed':
    case 'healing-abandoned':
    case 'heal-attempted':
      return 'route';
    case 'give-up-armed':
    case 'give-up-tick':
    case 'give-up-cancelled':
    case 'gave-up':
      return 'give-up';
    case 'fault-injected':
      return 'fault';
  }
}

/** One level of an MQTT topic. */
export function levelOf(name: string): string {
  return name.replace(/[/+#\s]/g, '-') || '-';
}

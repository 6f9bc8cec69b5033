/**
 * A server for SIP clients on the loopback interface, before a conferencing system that speaks the language of signaling
 * ports: the embedded pool. It keeps dialogs and subscriptions, and leaves all else to the system behind it; so its faults
 * show on the wire.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock, SignalingPort } from '../../port';
import {
  type IncomingRequestMessage,
  type IncomingResponseMessage,
  type LoggerFactory,
  loadSipLibrary,
  parseMessage,
  quietLoggers,
  type SipLibrary,
} from '../library';
import { Addresses, identityIn } from './addresses';
import type { Invitation } from './invitation';
import { type Link, Listeners } from './link';
import { type AnswerContent, type OutgoingRequest, writeAnswer, writeRequest } from './messages';
import { requestTimeoutMs, type ServerHost, type ServerRequest, type ServerUsage } from './usage';
import { Visit } from './visit';

/**
 * Our record of a dialog (RFC 3261, 12). It is ours and not the library's, because recovery does to it what RFC 3261 does
 * not foresee: it outlives 408 and 503, and its route set may be replaced (MS-SIPRE, 3.7).
 */
import type { Authorizations } from './authentication';
import { type IncomingMessage, type IncomingRequestMessage, type IncomingResponseMessage, token } from './library';
import { Negotiation } from './negotiation';
import { type SavedDialog, sequenceMargin } from './saved';
import type { SessionExpiration } from './session-expiration';
import type { Terms } from './session-timer';

/** Requests that carry our Contact and change the far end's idea of it (RFC 3261, 12.2; RFC 3311, 5.1; RFC 6665, 4.4.1; RFC 5057, 5.4). */
export const targetRefreshing: ReadonlySet<string> = new Set([
  'INVITE',
  'UPDATE',
  'SUBSCRIBE',
  'NOTIFY',
  'BENOTIFY',
  'REFER',
]);

/** Requests that a session timer travels in (RFC 4028, 7.4). */
export const sessionRefreshing: ReadonlySet<string> = new Set(['INVITE', 'UPDATE']);

/** One dialog, from before its first request on; until then and outside of one it has no remote tag and no route set. */
export class Dialog {
  readonly callId = token();
  readonly localTag = token();
  remoteTag: string | undefined;
  /** Request-URI of the requests in the dialog. */
  remoteTarget: string;
  /** Values of Route, nearest hop first. */
  routeSet: string[] = [];
  /**
   * A proxy said that the route set leads nowhere (430): the next target refresh goes without, and learns a new one, unless
   * one of the far end brings it.
   */
  routeStale = false;
  /** What servers and proxies on its way were told of our credentials. */
  readonly authorizations: Authorizations = new Map();
  /** Who may change the session. */
  readonly negotiation = new Negotiation();
  /** Session timer of an INVITE dialog. */
  session: SessionExpiration | null = null;
  /** Called when what is kept of the dialog is not what it was. */
  changed: () => void = () => {};
  /** Value of Allow, as far as the far end has said which methods it takes. */
  private allow = '';
  private localSequence = 0;
  /** The one that was kept last. */
  private keptSequence = 0;
  private remoteSequence = -1;

  constructor(
    readonly remoteUri: string,
    readonly displayName = '',
    target = remoteUri,
  ) {
    this.remoteTarget = target;
  }

  /** The dialog that our answer to a request of the far end makes (RFC 3261, 12.1.1). */
  static answering(request: IncomingRequestMessage): Dialog {
    const dialog = new Dialog(request.from.uri.toRaw());
    const routeSet = request.getHeaders('record-route');
    Object.assign(dialog, { callId: request.callId, remoteTag: request.fromTag, routeSet });
    dialog.inOrder(request);
    dialog.learnTarget(request);
    return dialog;
  }

  /** The dialog as another process has kept it. */
  static restored(saved: SavedDialog, displayName: string): Dialog {
    const { callId, localTag, remoteTag, remoteUri, remoteTarget, routeSet, remoteSequence, allow } = saved;
    const localSequence = saved.localSequence + sequenceMargin;
    const dialog = new Dialog(remoteUri, displayName, remoteTarget);
    return Object.assign(dialog, { callId, localTag, remoteTag, routeSet, localSequence, remoteSequence, allow });
  }

  /** What another process needs to go on with it. */
  save(): SavedDialog {
    const { callId, localTag, remoteTag = '', remoteUri, remoteTarget, routeSet } = this;
    const { localSequence, remoteSequence, allow } = this;
    const session = this.session?.save() ?? null;
    this.keptSequence = localSequence;
    return {
      callId,
      localTag,
      remoteTag,
      remoteUri,
      remoteTarget,
      routeSet,
      localSequence,
      remoteSequence,
      allow,
      session,
    };
  }

  /** The same call, as another one made of it who answered too (RFC 3261, 13.2.2.4), or who answered too late. */
  branchOff(): Dialog {
    const other = new Dialog(this.remoteUri, this.displayName);
    return Object.assign(other, {
      callId: this.callId,
      localTag: this.localTag,
      localSequence: this.localSequence,
      authorizations: this.authorizations,
    });
  }

  /** CSeq number of the next request. */
  nextSequence(): number {
    this.localSequence += 1;
    if (this.localSequence - this.keptSequence >= sequenceMargin / 2) this.changed();
    return this.localSequence;
  }

  /** Whether a message of the far end belongs to this dialog. */
  owns(request: IncomingRequestMessage): boolean {
    return request.toTag === this.localTag && (this.remoteTag === undefined || request.fromTag === this.remoteTag);
  }

  /** Whether the far end takes requests of this method; who has not said takes all (RFC 3261, 20.5). */
  allows(method: string): boolean {
    if (this.allow === '') return true;
    return this.allow.split(',').some((each) => each.trim().toUpperCase() === method);
  }

  /** Whether a request is newer than all before it (RFC 3261, 12.2.2). An ACK has the number of its INVITE. */
  inOrder(request: IncomingRequestMessage): boolean {
    if (request.method === 'ACK') return true;
    if (request.cseq < this.remoteSequence) return false;
    this.remoteSequence = request.cseq;
    return true;
  }

  /** Learns from a 2xx of ours: the first one makes the dialog, later ones refresh the target. */
  learnFromAnswer(response: IncomingResponseMessage, sentWithoutRoute: boolean): void {
    const first = this.remoteTag === undefined;
    if (first) this.remoteTag = response.toTag;
    if (!first && !targetRefreshing.has(response.method)) return;
    this.learnTarget(response);
    if (sessionRefreshing.has(response.method)) this.session?.learn(termsOf(response));
    if (first || sentWithoutRoute) {
      this.routeSet = response.getHeaders('record-route').reverse();
      this.routeStale = false;
      this.changed();
    }
  }

  /** Learns from a request of the far end. The first NOTIFY makes a subscription's dialog (RFC 6665, 4.4.1). */
  learnFromRequest(request: IncomingRequestMessage): void {
    if (!targetRefreshing.has(request.method)) return;
    const recorded = request.getHeaders('record-route');
    const first = this.remoteTag === undefined;
    if (first) this.remoteTag = request.fromTag;
    // By RFC 3261, 12.2, the route set never changes; but where ours is stale, the far end may have found another one.
    if (first || (this.routeStale && recorded.length > 0)) {
      this.routeSet = recorded;
      this.routeStale = false;
      this.changed();
    }
    this.learnTarget(request);
  }

  private learnTarget(message: IncomingMessage): void {
    const target = contactOf(message) ?? this.remoteTarget;
    const allow = message.getHeaders('allow').join(',') || this.allow;
    if (target === this.remoteTarget && allow === this.allow) return;
    this.remoteTarget = target;
    this.allow = allow;
    this.changed();
  }
}

/** URI of the first Contact. */
export function contactOf(message: IncomingMessage): string | undefined {
  return message.parseHeader('contact', 0)?.uri?.toRaw();
}

/** What a message says of the session timer. */
export function termsOf(message: IncomingMessage): Terms {
  return {
    sessionExpires: message.getHeader('session-expires') ?? message.getHeader('x'),
    supported: [...message.getHeaders('supported'), ...message.getHeaders('k')].join(','),
  };
}

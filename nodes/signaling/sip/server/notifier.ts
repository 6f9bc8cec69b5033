/** A client's subscription to the roster, as the server sees it: the notifier of RFC 6665 and RFC 4575. */
import type { ConferenceDocument } from '../../../recovery/signaling';
import { type ConferenceUri, conferenceDocumentType } from '../conference-document';
import { Dialog } from '../dialog';
import { writeConferenceDocument } from './document-writer';
import type { Link } from './link';
import type { ServerHost, ServerRequest, ServerUsage } from './usage';

/** The package's default (RFC 4575, 3.4) and our longest, in seconds. */
const longestSeconds = 3600;

/** Whom a subscription belongs to. */
export interface Publisher {
  readonly conference: string;
  /** Asks the pool whether the subscription can go on; answers the request unless it can. */
  subscribe(request: ServerRequest, accepted: () => void): void;
  /** Has the pool send a full document. */
  refresh(): void;
  conferenceUris(): ConferenceUri[];
  /** The subscription is over. */
  over(notifier: Notifier): void;
}

/** One subscription: its documents have versions of their own, and the first one is full. */
export class Notifier implements ServerUsage {
  readonly dialog: Dialog;
  link: Link;
  private readonly localUri: string;
  private version = 0;
  /** The client has a full document, that changes can be told of. */
  private complete = false;
  private expiresAt = 0;
  private cancelTimer: () => void = () => {};
  private live = true;

  constructor(
    private readonly host: ServerHost,
    private readonly publisher: Publisher,
    request: ServerRequest,
  ) {
    this.dialog = Dialog.answering(request.message);
    this.localUri = request.message.to.uri.toRaw();
    this.link = request.link;
    host.register(this);
  }

  /** SUBSCRIBE: the first one, a refresh, or with `Expires: 0` the end. */
  receive(request: ServerRequest): void {
    if (request.message.method !== 'SUBSCRIBE') return request.answer(405);
    const asked = /^\d{1,10}$/.exec(request.message.getHeader('expires')?.trim() ?? '')?.[0];
    const seconds = Math.min(asked === undefined ? longestSeconds : Number(asked), longestSeconds);
    this.publisher.subscribe(request, () => {
      const headers = [`Expires: ${seconds}`, `Contact: <${this.contact}>;isfocus`];
      request.answer(200, { headers, toTag: this.dialog.localTag });
      if (seconds === 0) return this.end('timeout');
      this.expiresAt = this.host.clock.now() + seconds * 1000;
      this.cancelTimer();
      this.cancelTimer = this.host.clock.after(seconds * 1000, () => this.end('timeout'));
      this.publisher.refresh();
    });
  }

  /** Passes a document of the pool on. */
  document({ state, users, properties }: ConferenceDocument): void {
    if (!this.complete && state !== 'full') return;
    this.complete = true;
    const all = state === 'full' ? { conferenceUris: this.publisher.conferenceUris() } : {};
    this.notify(
      writeConferenceDocument({ ...this.head(), state, users, ...(properties ? { properties } : {}), ...all }),
    );
  }

  /** Tells which MCUs can be called now. */
  mcusChanged(): void {
    if (!this.complete) return;
    const conferenceUris = this.publisher.conferenceUris();
    this.notify(writeConferenceDocument({ ...this.head(), state: 'partial', users: [], conferenceUris }));
  }

  /** Ends it, and says why (RFC 6665, 4.1.3). Silently: the client knows nothing of it any more. */
  end(reason: 'noresource' | 'rejected' | 'timeout' | 'deactivated', silently = false): void {
    if (!this.live) return;
    const body =
      reason === 'noresource' ? writeConferenceDocument({ ...this.head(), state: 'deleted', users: [] }) : '';
    if (!silently) this.notify(body, `terminated;reason=${reason}`);
    this.live = false;
    this.cancelTimer();
    this.host.unregister(this);
    this.publisher.over(this);
  }

  private get contact(): string {
    return this.host.addresses.write(this.publisher.conference);
  }

  private head(): { conference: string; version: number } {
    this.version += 1;
    return { conference: this.publisher.conference, version: this.version };
  }

  private notify(content: string, state?: string): void {
    const remaining = Math.max(0, Math.ceil((this.expiresAt - this.host.clock.now()) / 1000));
    const headers = ['Event: conference', `Subscription-State: ${state ?? `active;expires=${remaining}`}`];
    const { dialog, localUri, contact } = this;
    const body = content === '' ? {} : { body: { contentType: conferenceDocumentType, content } };
    this.host.send(this.link, { method: 'NOTIFY', dialog, localUri, contact, headers, ...body }, (status) => {
      if (status !== null && status < 300) return;
      // What is missing now is told in full when the client refreshes.
      this.complete = false;
      // RFC 6665, 4.2.2: whoever says 481 or nothing at all is gone. Who cannot be reached may come back.
      if (status === 481 || (status === null && this.link.open)) this.end('timeout', true);
    });
  }
}

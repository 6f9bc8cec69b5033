/** Messages of the server: its answers, and its requests in the dialogs that clients have made. */
import type { Dialog } from '../dialog';
import type { Body } from '../exchange';
import type { IncomingRequestMessage, SipLibrary } from '../library';
import { token } from '../library';
import type { Link } from './link';

/** Methods that the server answers. */
export const allow = 'Allow: INVITE, ACK, CANCEL, BYE, UPDATE, INFO, OPTIONS, SUBSCRIBE, MESSAGE';
const userAgentName = 'conference-recovery pool';

/** What an answer says beside its status. */
export interface AnswerContent {
  headers?: string[];
  body?: Body | undefined;
  /** The tag that our end of the dialog has; without one the answer makes none. */
  toTag?: string;
}

/** Writes an answer (RFC 3261, 8.2.6). All of a 2xx or a provisional one that could make a dialog is in it. */
export function writeAnswer(
  library: SipLibrary,
  request: IncomingRequestMessage,
  { peer }: Link,
  status: number,
  { headers = [], body, toTag = token() }: AnswerContent = {},
): string {
  const recordRoute = request.getHeaders('record-route').map((route) => `Record-Route: ${route}`);
  const { message } = library.constructOutgoingResponse(request, {
    statusCode: status,
    toTag,
    userAgent: userAgentName,
    extraHeaders: [...(status > 100 && status < 300 ? recordRoute : []), ...headers, allow],
    ...(body ? { body: { contentDisposition: '', ...body } } : {}),
  });
  // Whoever asks for it is told where its request came from (RFC 3581, 4).
  return message.replace(/^(Via:[^\r\n]*?;rport)(?=[;\s\r])/m, `$1=${peer.port};received=${peer.host}`);
}

/** A request in a dialog that a client has made (RFC 3261, 12.2.1.1). */
export interface OutgoingRequest {
  method: 'NOTIFY' | 'BYE';
  dialog: Dialog;
  /** URI of our end, as the client knows it. */
  localUri: string;
  /** URI at which the server takes requests for this dialog. */
  contact: string;
  headers?: string[];
  body?: Body;
}

/** Writes it, and says by which branch its answer is known. */
export function writeRequest(
  { method, dialog, localUri, contact, headers = [], body }: OutgoingRequest,
  protocol: string,
  address: string,
): { text: string; branch: string } {
  const branch = `z9hG4bK${token()}`;
  const content = body?.content ?? '';
  const lines = [
    `${method} ${dialog.remoteTarget} SIP/2.0`,
    `Via: SIP/2.0/${protocol} ${address};branch=${branch};rport`,
    'Max-Forwards: 70',
    ...dialog.routeSet.map((route) => `Route: ${route}`),
    `From: <${localUri}>;tag=${dialog.localTag}`,
    `To: <${dialog.remoteUri}>;tag=${dialog.remoteTag}`,
    `Call-ID: ${dialog.callId}`,
    `CSeq: ${dialog.nextSequence()} ${method}`,
    `Contact: <${contact}>;isfocus`,
    `User-Agent: ${userAgentName}`,
    ...headers,
    ...(body ? [`Content-Type: ${body.contentType}`] : []),
    `Content-Length: ${Buffer.byteLength(content)}`,
  ];
  return { text: `${lines.join('\r\n')}\r\n\r\n${content}`, branch };
}

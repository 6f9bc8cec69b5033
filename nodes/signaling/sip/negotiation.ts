/**
 * Who may change a session, and when (RFC 3261, 14; RFC 3311, 5): one INVITE or UPDATE of ours at a time in a dialog, and
 * none of the far end's that would cross an offer. Pure; one record per dialog.
 */

/** Requests of ours that may wait for their turn; more is a fault of whoever asks. */
const mostWaiting = 8;
/** How long the ACK of an INVITE is waited for (RFC 3261, 13.3.1.4: 64·T1), in ms. Then the INVITE counts as forgotten. */
const acknowledgedWithinMs = 32_000;

/** A request of ours that changes the session, while it is under way. */
export interface Change {
  /** It carries an offer: an INVITE does, or asks for one. */
  readonly offers: boolean;
}

/** What a request of the far end is about. */
export interface Proposal {
  method: string;
  /** It carries a session description. */
  offers: boolean;
}

export class Negotiation {
  /** Changes of ours: the first is under way, the others wait. */
  private readonly ours: { change: Change; begin: () => void }[] = [];
  /** Methods of the far end's requests that we have not answered yet. */
  private readonly unanswered = new Map<string, Proposal>();
  /** An INVITE of the far end that we have accepted, and whose ACK has not come. */
  private unacknowledged: { offered: boolean; at: number } | null = null;

  /** Calls `begin` when it is this change's turn: at once, or when others have left. False when too many wait already. */
  enter(change: Change, begin: () => void): boolean {
    if (this.ours.length > mostWaiting) return false;
    this.ours.push({ change, begin });
    if (this.ours.length === 1) begin();
    return true;
  }

  /** This change is over, or waits no more. */
  leave(change: Change): void {
    const index = this.ours.findIndex((each) => each.change === change);
    if (index < 0) return;
    this.ours.splice(index, 1);
    if (index === 0) this.ours[0]?.begin();
  }

  /**
   * Why a request of the far end cannot be accepted now: 500 while an earlier one of its own is open, 491 while an offer of
   * ours is (RFC 3261, 14.2; RFC 3311, 5.2).
   */
  refusalOf({ method, offers }: Proposal, now: number): 491 | 500 | null {
    const accepted = this.unacknowledged && now - this.unacknowledged.at < acknowledgedWithinMs;
    const invited = this.unanswered.has('INVITE');
    if (method === 'INVITE') {
      if (invited || accepted) return 500;
      return this.ours[0]?.change.offers ? 491 : null;
    }
    if (this.unanswered.has('UPDATE') || (offers && invited)) return 500;
    const offering = this.ours[0]?.change.offers || (accepted && this.unacknowledged?.offered);
    return offers && offering ? 491 : null;
  }

  /** A request of the far end is being dealt with. */
  received(proposal: Proposal): void {
    this.unanswered.set(proposal.method, proposal);
  }

  /** It has been answered. */
  answered({ method, offers }: Proposal, status: number, now: number): void {
    this.unanswered.delete(method);
    // To an INVITE without an offer, the 2xx carries ours, and the ACK the answer (RFC 3261, 13.2.1).
    if (method === 'INVITE' && status < 300) this.unacknowledged = { offered: !offers, at: now };
  }

  /** The ACK has come. */
  acknowledged(): void {
    this.unacknowledged = null;
  }
}

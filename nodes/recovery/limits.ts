/** Bounds of every queue and table (conformance MSG-6). At a limit, a typed error with code `LimitReached`. */
export const limits = {
  /** Conferences of one node. */
  conferences: 1_000_000,
  /** Pending operations of one conference session. */
  operations: 1_000,
  /** Operations that wait for one MCU to become Active. */
  queued: 100,
  /** Signals that one verdict carries as evidence; later ones replace the last. */
  evidence: 20,
  /** Closed outages that a session remembers, to tell late news of them. */
  closedIncidents: 10,
  /** Participants of one roster. */
  participants: 20_000,
  /** What a node puts off while it is deployed anew, or its state is loaded: messages, and news of the conferencing system. */
  putOff: 100_000,
  /** Members of one batch. */
  batch: 10_000,
} as const;

/**
 * What of the service works. `failing`: requests are better sent elsewhere; `away`: what hangs on it waits, and the rest
 * goes on; `behind`: it works, and is late.
 */
export const PART_STATES = ['ok', 'behind', 'away', 'failing'] as const;
export type PartState = (typeof PART_STATES)[number];

/** Whether requests should be sent here, and which part is in the way. Shown to whoever asks: no names, no numbers. */
export interface Readiness {
  ready: boolean;
  /** It is stopping: finishes what it has and takes no more. */
  draining: boolean;
  parts: {
    /** Takes records in, durably. */
    log: PartState;
    /** Judges what came in, so that questions are answered. */
    scoring: PartState;
    /** ClickHouse. Never a reason not to be ready: storing catches up by itself. */
    store: PartState;
  };
}

/** A sign that scoring went all the way, for an outside system that watches for silence. */
export interface Heartbeat {
  /** When scoring last went all the way, epoch ms. */
  time: number;
  /** Position in the log up to which everything is scored and out. */
  position: number;
  /** The same, signed as messages to gateways are; audience `heartbeat`. Compact JWS. */
  jws: string;
}

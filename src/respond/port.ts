import type { Restriction } from '../model/command.js';
import type { OutboxEntry } from '../model/effect.js';
import type { GatewayMessage } from '../model/gateway-message.js';
import type { CommandReaderRights } from '../model/visible-command.js';
import type { ExplainedRung } from './explain-response.js';
import type { ResponseCase } from './response-case.js';

/** An incident with all that policy asks about it, and what policy would do at each rung. */
export interface ResponseExplanation {
  case: ResponseCase;
  ladder: ExplainedRung[];
}

/** Committed commands and restrictions, as all ways of delivery read them. */
export interface CommandSource {
  /** Full current restriction state of a tenant's agents. */
  restrictions(tenant: string): Restriction[];
  /** Sequence up to which `restrictions` is true; a subscriber continues after it. */
  readonly sequence: number;
  /** A subscriber that has seen this sequence or a later one can continue; an older one gets the full state again. */
  readonly oldestSequence: number;
  /** Effects of type `command` and `restriction` after a sequence, oldest first; waits until there is one. */
  changesAfter(sequence: number, signal: AbortSignal): Promise<OutboxEntry[]>;
}

export interface SubscriptionOptions {
  rights: CommandReaderRights;
  /** The last sequence the subscriber has seen; without it, or with one that is not held, it gets the full state. */
  after?: number | undefined;
  /** Ends the subscription. */
  signal: AbortSignal;
}

/** What one subscriber is told, in order, pulled by it: a slow one costs what it was given last and no more. */
export interface Subscription {
  /** Everything up to here was given out or is none of this subscriber's business; undefined before the first state. */
  readonly sequence: number | undefined;
  /**
   * The next messages, oldest first. Empty when there was none for `waitMs`: time for a sign of life, or the end where
   * the signal was aborted.
   */
  next(waitMs: number): Promise<GatewayMessage[]>;
  /** Forgets where the subscriber is: the next message is the full state. */
  startOver(): void;
}

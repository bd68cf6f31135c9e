import type { OutboxEntry } from '../model/effect.js';
import { mayActFor, type Principal } from '../model/principal.js';
import { maySeeCommand } from './command-view.js';
import type { CommandBoard } from './port.js';
import { encodeEvent, encodeHeartbeat } from './sse.js';

/** Entries sent as one piece, so that a reader far behind does not cause one huge text. */
const MAX_ENTRIES_PER_TEXT = 256;

export interface CommandFeedOptions {
  board: CommandBoard;
  principal: Principal;
  heartbeatMs: number;
  signal: AbortSignal;
  /** `Last-Event-ID`: the last sequence the reader has seen. */
  after?: number;
}

/**
 * What one subscriber is told, in order: first everything that is restricted now (`state`), then every change with
 * its place in the outbox. A subscriber that comes back continues where it was; one that is further behind than the
 * outbox reaches gets the whole state again, so that nothing it missed can matter.
 */
export class CommandFeed {
  readonly #options: CommandFeedOptions;
  /** Everything up to here was sent, or is none of this subscriber's business. */
  #sequence: number | undefined;
  #waiting: OutboxEntry[] = [];
  #changes: Promise<OutboxEntry[]> | undefined;

  constructor(options: CommandFeedOptions) {
    this.#options = options;
    const { after, board } = options;
    if (after !== undefined && after <= board.sequence && after >= board.oldestSequence) this.#sequence = after;
  }

  /** The next text to send; empty when the feed was closed. */
  async next(): Promise<string> {
    const { board, signal } = this.#options;
    for (;;) {
      if (signal.aborted) return '';
      if (this.#sequence === undefined || (this.#waiting.length === 0 && this.#isBehind(this.#sequence))) {
        return this.#state();
      }
      if (this.#waiting.length > 0) {
        const text = this.#take(this.#sequence);
        if (text !== '') return text;
        continue;
      }
      this.#changes ??= board.changesAfter(this.#sequence, signal);
      const entries = await this.#orHeartbeat(this.#changes);
      if (entries === undefined) return signal.aborted ? '' : encodeHeartbeat(this.#sequence);
      this.#changes = undefined;
      this.#waiting = entries;
    }
  }

  /** Changes have been dropped that this subscriber has not seen. */
  #isBehind(sequence: number): boolean {
    const { board } = this.#options;
    return this.#changes === undefined && sequence < board.oldestSequence && sequence < board.sequence;
  }

  #state(): string {
    const { board, principal } = this.#options;
    // Read together, without anything in between: the state is true up to exactly this sequence.
    const sequence = board.sequence;
    const restrictions = board.restrictions(principal.tenant).filter(({ agentId }) => mayActFor(principal, agentId));
    this.#sequence = sequence;
    return encodeEvent({ event: 'state', id: sequence, data: { sequence, restrictions } });
  }

  #take(from: number): string {
    let text = '';
    const batch = this.#waiting.slice(0, MAX_ENTRIES_PER_TEXT);
    this.#waiting = this.#waiting.slice(MAX_ENTRIES_PER_TEXT);
    let sequence = from;
    for (const entry of batch) {
      if (entry.sequence <= sequence) continue;
      sequence = entry.sequence;
      if (this.#isFor(entry)) {
        text += encodeEvent({ event: entry.effect.type, id: entry.sequence, data: entry.effect.value });
      }
    }
    this.#sequence = sequence;
    return text;
  }

  #isFor({ effect }: OutboxEntry): boolean {
    const { principal } = this.#options;
    if (effect.type === 'command') return maySeeCommand(principal, effect.value);
    if (effect.type !== 'restriction') return false;
    return effect.value.tenant === principal.tenant && mayActFor(principal, effect.value.agentId);
  }

  /** The entries, or undefined when it is time for a sign of life (or the feed was closed). */
  async #orHeartbeat(changes: Promise<OutboxEntry[]>): Promise<OutboxEntry[] | undefined> {
    const { heartbeatMs, signal } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const pause = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), heartbeatMs);
      onAbort = () => resolve(undefined);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      const entries = await Promise.race([changes, pause]);
      // An empty answer without a reason to end must not turn into a busy loop.
      return entries?.length === 0 ? await pause : entries;
    } finally {
      clearTimeout(timer);
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
    }
  }
}

import type { OutboxEntry } from '../model/effect.js';
import type { GatewayMessage } from '../model/gateway-message.js';
import { maySeeCommand, maySeeRestriction } from '../model/visible-command.js';
import type { CommandSource, Subscription, SubscriptionOptions } from './port.js';

/** Messages given out as one piece, so that a reader far behind does not cause one huge text. */
const MAX_MESSAGES = 256;

/**
 * What one subscriber is told, whatever the way it is delivered: first everything that is restricted now (`state`), then
 * every change with its place in the outbox. A subscriber that comes back continues where it was; one that is further
 * behind than the source reaches gets the whole state again, so that nothing it missed can matter.
 */
export class BoardSubscription implements Subscription {
  readonly #source: CommandSource;
  readonly #options: SubscriptionOptions;
  #sequence: number | undefined;
  #waiting: readonly OutboxEntry[] = [];

  constructor(source: CommandSource, options: SubscriptionOptions) {
    this.#source = source;
    this.#options = options;
    const { after } = options;
    if (after !== undefined && after <= source.sequence && after >= source.oldestSequence) this.#sequence = after;
  }

  get sequence(): number | undefined {
    return this.#sequence;
  }

  startOver(): void {
    this.#sequence = undefined;
    this.#waiting = [];
  }

  async next(waitMs: number): Promise<GatewayMessage[]> {
    const { signal } = this.#options;
    // One pause for the whole wait: what concerns only others must not keep this subscriber without a sign of life.
    const waiting = new AbortController();
    const end = (): void => waiting.abort();
    const timer = setTimeout(end, waitMs);
    signal.addEventListener('abort', end, { once: true });
    try {
      while (!signal.aborted) {
        const messages = this.#ready();
        if (messages.length > 0) return messages;
        if (waiting.signal.aborted) return [];
        this.#waiting = await this.#source.changesAfter(this.#sequence ?? 0, waiting.signal);
      }
      return [];
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  /** What can be told without waiting. */
  #ready(): GatewayMessage[] {
    while (this.#sequence !== undefined && this.#waiting.length > 0) {
      const messages = this.#take(this.#sequence);
      if (messages.length > 0) return messages;
    }
    const { oldestSequence, sequence } = this.#source;
    // Changes may have been dropped that this subscriber has not seen.
    const isBehind = (this.#sequence ?? -1) < Math.min(oldestSequence, sequence);
    return this.#sequence === undefined || isBehind ? [this.#state()] : [];
  }

  #state(): GatewayMessage {
    const { rights } = this.#options;
    // Read together, without anything in between: the state is true up to exactly this sequence.
    const { sequence } = this.#source;
    const all = this.#source.restrictions(rights.tenant);
    const restrictions = all.filter((restriction) => maySeeRestriction(rights, restriction));
    this.#sequence = sequence;
    return { type: 'state', sequence, data: { sequence, restrictions } };
  }

  #take(from: number): GatewayMessage[] {
    const messages: GatewayMessage[] = [];
    const batch = this.#waiting.slice(0, MAX_MESSAGES);
    this.#waiting = this.#waiting.slice(MAX_MESSAGES);
    let sequence = from;
    for (const entry of batch) {
      if (entry.sequence <= sequence) continue;
      sequence = entry.sequence;
      const message = this.#messageOf(entry);
      if (message !== undefined) messages.push(message);
    }
    this.#sequence = sequence;
    return messages;
  }

  #messageOf({ sequence, effect }: OutboxEntry): GatewayMessage | undefined {
    const { rights } = this.#options;
    if (effect.type === 'command') {
      return maySeeCommand(rights, effect.value) ? { type: 'command', sequence, data: effect.value } : undefined;
    }
    if (effect.type !== 'restriction' || !maySeeRestriction(rights, effect.value)) return undefined;
    return { type: 'restriction', sequence, data: effect.value };
  }
}

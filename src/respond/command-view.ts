import { BoundedMap } from '../lib/bounded-map.js';
import { isUnrestricted, type Command, type Restriction } from '../model/command.js';
import type { OutboxEntry } from '../model/effect.js';
import { BoardSubscription } from './board-subscription.js';
import type { CommandSource, Subscription, SubscriptionOptions } from './port.js';

/** Changes kept for subscribers that come back; one that was away longer gets the full state. */
const MAX_CHANGES = 10_000;

/**
 * What gateways and people see of commands: a view over effects that are committed. A gateway that connects reads the
 * full restriction state at `sequence` and then every change after it, without a gap between the two.
 */
export class CommandView implements CommandSource {
  readonly #commands: BoundedMap<string, Command>;
  readonly #restrictions = new Map<string, Restriction>();
  /** Newest changes, oldest first, from `#first` on. */
  #changes: OutboxEntry[] = [];
  #sequence = 0;
  /** Sequence after which every change is held. */
  #heldAfter = 0;
  #waiting: (() => void)[] = [];

  constructor(capacity: number) {
    this.#commands = new BoundedMap(capacity);
  }

  /**
   * Takes up the state known at the start.
   *
   * @param sequence newest outbox sequence that the state contains
   * @param recent outbox entries that are still held, oldest first and without gaps up to `sequence`
   */
  restore(
    state: { commands: Iterable<Command>; restrictions: Iterable<Restriction> },
    sequence: number,
    recent: readonly OutboxEntry[],
  ): void {
    for (const command of state.commands) this.#commands.set(keyOf(command.tenant, command.id), command);
    for (const restriction of state.restrictions) this.#restrict(restriction);
    this.#sequence = sequence;
    this.#changes = recent.filter(isChange).slice(-MAX_CHANGES);
    this.#heldAfter = (recent[0]?.sequence ?? sequence + 1) - 1;
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** A subscriber that has seen this sequence or a later one can continue; an older one needs the full state. */
  get oldestSequence(): number {
    return this.#heldAfter;
  }

  /** Takes in committed effects and wakes subscribers. */
  apply(entries: readonly OutboxEntry[]): void {
    let changed = false;
    for (const entry of entries) {
      this.#sequence = entry.sequence;
      if (!isChange(entry)) continue;
      changed = true;
      this.#changes.push(entry);
      const { effect } = entry;
      if (effect.type === 'command') this.#commands.set(keyOf(effect.value.tenant, effect.value.id), effect.value);
      else if (effect.type === 'restriction') this.#restrict(effect.value);
    }
    // In one go and rarely: shifting one by one would copy the whole list each time.
    if (this.#changes.length > 2 * MAX_CHANGES) {
      const dropped = this.#changes.splice(0, this.#changes.length - MAX_CHANGES);
      this.#heldAfter = dropped.at(-1)?.sequence ?? this.#heldAfter;
    }
    if (!changed) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  restrictions(tenant: string): Restriction[] {
    return [...this.#restrictions.values()].filter((restriction) => restriction.tenant === tenant);
  }

  /** Newest change first. */
  list(filter: { tenant: string; limit: number }): Command[] {
    const own = [...this.#commands.values()].filter((command) => command.tenant === filter.tenant);
    return own.reverse().slice(0, filter.limit);
  }

  /** Finished or old commands that were pushed out by newer ones. */
  get evicted(): number {
    return this.#commands.evicted;
  }

  get(tenant: string, id: string): Command | undefined {
    return this.#commands.peek(keyOf(tenant, id));
  }

  /** What one subscriber is told, in order. */
  subscribe(options: SubscriptionOptions): Subscription {
    return new BoardSubscription(this, options);
  }

  /** Commands and restrictions after a sequence, oldest first; waits until there is one or the signal aborts. */
  async changesAfter(sequence: number, signal: AbortSignal): Promise<OutboxEntry[]> {
    while (!signal.aborted) {
      const changes = this.#changesAfter(sequence);
      if (changes.length > 0) return changes;
      await this.#nextChange(signal);
    }
    return [];
  }

  #changesAfter(sequence: number): OutboxEntry[] {
    if ((this.#changes.at(-1)?.sequence ?? 0) <= sequence) return [];
    return this.#changes.slice(firstAfter(this.#changes, sequence));
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        this.#waiting = this.#waiting.filter((other) => other !== wake);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      this.#waiting.push(wake);
    });
  }

  #restrict(restriction: Restriction): void {
    const key = keyOf(restriction.tenant, restriction.agentId);
    if (isUnrestricted(restriction)) this.#restrictions.delete(key);
    else this.#restrictions.set(key, restriction);
  }
}

/** Index of the first entry after a sequence: a search by halves, since every subscriber asks at every change. */
function firstAfter(entries: readonly OutboxEntry[], sequence: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.sequence ?? 0) <= sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isChange(entry: OutboxEntry): boolean {
  return entry.effect.type === 'command' || entry.effect.type === 'restriction';
}

function keyOf(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}

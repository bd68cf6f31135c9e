import { BoundedMap } from '../lib/bounded-map.js';
import type { OutboxEntry } from '../model/effect.js';
import type { Hold } from '../model/hold.js';

/**
 * What people and gateways see of held calls: a view over effects that are committed, so that nothing is shown, and no
 * gateway told, that a crash could take back.
 */
export class HoldView {
  readonly #holds: BoundedMap<string, Hold>;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(capacity: number) {
    this.#holds = new BoundedMap(capacity);
  }

  /** Takes up the held calls known at the start, oldest change first. */
  restore(holds: Iterable<Hold>): void {
    for (const hold of holds) this.#holds.set(keyOf(hold.tenant, hold.id), hold);
  }

  /** Takes in committed effects and wakes who waits for one of them. */
  apply(entries: readonly OutboxEntry[]): void {
    for (const { effect } of entries) {
      if (effect.type !== 'hold') continue;
      const key = keyOf(effect.value.tenant, effect.value.id);
      this.#holds.set(key, effect.value);
      const waiting = this.#waiting.get(key);
      this.#waiting.delete(key);
      for (const wake of waiting ?? []) wake();
    }
  }

  /** Newest change first. */
  list({ tenant, limit }: { tenant: string; limit: number }): Hold[] {
    const own = [...this.#holds.values()].filter((hold) => hold.tenant === tenant);
    return own.reverse().slice(0, limit);
  }

  get(tenant: string, id: string): Hold | undefined {
    return this.#holds.peek(keyOf(tenant, id));
  }

  /** The held call as soon as it is known and waits no more, or as it is when the signal aborts. */
  async decided(tenant: string, id: string, signal: AbortSignal): Promise<Hold | undefined> {
    for (;;) {
      const hold = this.get(tenant, id);
      if ((hold !== undefined && hold.state !== 'waiting') || signal.aborted) return hold;
      await this.#nextChange(keyOf(tenant, id), signal);
    }
  }

  #nextChange(key: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting);
      const wake = () => {
        signal.removeEventListener('abort', wake);
        waiting.delete(wake);
        if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      waiting.add(wake);
    });
  }
}

function keyOf(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}

import type { ScoringStore } from '../log/port.js';
import type { OutboxEntry } from '../model/effect.js';
import type { EffectsToTell } from '../observer.js';
import type { Registry } from './registry.js';

/** Entries kept for those who follow. */
const CAPACITY = 20_000;
const CURSOR_PREFIX = 'cursor/';
const MEMORY_PREFIX = 'memory/';

/**
 * The journal as those who tell people and gateways follow an outbox: the newest entries in memory, and their own place
 * and memory in the registry, so that whichever node tells next goes on where the last one was.
 */
export class JournalOutbox implements EffectsToTell {
  readonly #registry: Registry;
  #entries: OutboxEntry[] = [];
  #head = 0;
  #waiting: { after: number; wake: () => void }[] = [];

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get outboxHead(): number {
    return this.#head;
  }

  /** @param position sequence up to which the journal was read, entries or not */
  apply(entries: readonly OutboxEntry[], position: number): void {
    for (const entry of entries) this.#entries.push(entry);
    // In one go and rarely: shifting one by one would copy the whole list each time.
    if (this.#entries.length > 2 * CAPACITY) this.#entries = this.#entries.slice(-CAPACITY);
    this.#head = position;
    const due = this.#waiting.filter(({ after }) => after < position);
    this.#waiting = this.#waiting.filter(({ after }) => after >= position);
    for (const { wake } of due) wake();
  }

  outbox(after: number, max: number): OutboxEntry[] {
    const first = this.#entries.findIndex(({ sequence }) => sequence > after);
    return first < 0 ? [] : this.#entries.slice(first, first + max);
  }

  waitForOutbox(after: number, signal: AbortSignal): Promise<void> {
    if (this.#head > after || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#waiting = this.#waiting.filter((other) => other.wake !== wake);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      this.#waiting.push({ after, wake });
    });
  }

  get(key: string): Uint8Array | undefined {
    return bytesOf(this.#registry.get(MEMORY_PREFIX + key));
  }

  *entries(prefix: string): Generator<{ key: string; value: Uint8Array }> {
    const found = [...this.#registry.entries(MEMORY_PREFIX + prefix)].sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { key, value } of found) {
      const bytes = bytesOf(value);
      if (bytes !== undefined) yield { key: key.slice(MEMORY_PREFIX.length), value: bytes };
    }
  }

  cursor(name: string): number {
    const value = this.#registry.get(CURSOR_PREFIX + name);
    return typeof value === 'number' ? value : 0;
  }

  async setCursor(...[name, value, memory]: Parameters<ScoringStore['setCursor']>): Promise<void> {
    const facts = (memory?.puts ?? []).map((put) => ({
      key: MEMORY_PREFIX + put.key,
      value: Buffer.from(put.value).toString('base64') as unknown,
    }));
    for (const key of memory?.deletes ?? []) facts.push({ key: MEMORY_PREFIX + key, value: undefined });
    facts.push({ key: CURSOR_PREFIX + name, value });
    await this.#registry.put(facts);
  }
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
}

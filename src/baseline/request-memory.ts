import { CountMap, type PlainCounts } from './count-map.js';
import type { SessionRecord } from './facts.js';
import type { Journal } from './journal.js';
import { isWrite, mix, originClass, toolKey, withClass } from './keys.js';
import { RequestIndex } from './request-index.js';
import { requestKeyOf } from './scoring-state.js';

const MAX_COUNTS_OF_REQUEST = 2_048;
/** The oldest requests are looked for once for so many of them. */
const OLDEST_AT_ONCE = 64;

/** One distinct request and what its sessions did: counts of sessions, however often it ran. */
export interface KnownRequest {
  readonly key: number;
  /** In ascending order, so that sums over them do not depend on who came first. */
  readonly words: Uint32Array;
  sessions: number;
  /**
   * Sessions by tool (`toolKey`), by (kind, value) and by word given to a tool (`wordKey`); distinct targets by place
   * and by place and origin class. The keys of these do not overlap but by chance.
   */
  readonly counts: CountMap;
  /** Distinct targets of writes, and those taken from what was read. */
  writeTargets: number;
  readTargets: number;
  /** When it was learned last, in learned sessions of the baseline. */
  learnedAt: number;
}

export type PlainRequest = Omit<KnownRequest, 'counts'> & { counts: PlainCounts };

/**
 * Distinct requests. Where it is full, the request not learned for the longest time goes. The index by word is made
 * when it is first asked for: only a pool's is.
 */
export class RequestMemory {
  readonly #requests = new Map<number, KnownRequest>();
  #index: RequestIndex | undefined;
  /** Next to be pushed out, the last first, with when each was learned: what was learned again since is passed over. */
  #oldest: { known: KnownRequest; learnedAt: number }[] = [];
  readonly #capacity: number;
  #evicted = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#requests.size;
  }

  /** Requests pushed out so far. */
  get evicted(): number {
    return this.#evicted;
  }

  get(key: number): KnownRequest | undefined {
    return this.#requests.get(key);
  }

  get index(): RequestIndex {
    if (this.#index === undefined) {
      this.#index = new RequestIndex();
      for (const known of this.#requests.values()) this.#index.insert(known);
    }
    return this.#index;
  }

  /** Words and the number of distinct requests that have them. */
  words(): Map<number, number> {
    const requests = new Map<number, number>();
    for (const { words } of this.#requests.values()) {
      for (const word of words) requests.set(word, (requests.get(word) ?? 0) + 1);
    }
    return requests;
  }

  /** @param now learned sessions of the baseline: what "least recently" is measured by */
  learn(record: SessionRecord, by: 1 | -1, now: number, journal?: Journal): void {
    const key = requestKeyOf(record.intent);
    let known = this.#requests.get(key);
    if (known === undefined) {
      if (by < 0) return;
      if (this.#requests.size >= this.#capacity) this.#evictOldest(journal);
      known = {
        key,
        words: Uint32Array.from(record.intent).sort(),
        sessions: 0,
        counts: new CountMap(MAX_COUNTS_OF_REQUEST),
        writeTargets: 0,
        readTargets: 0,
        learnedAt: now,
      };
      known.counts.reserve(record.tools.length + record.wordKeys.length + record.targets.length);
      const added = known;
      this.#insert(added);
      journal?.step(() => this.remove(added));
    }
    const { sessions, writeTargets, readTargets, learnedAt } = known;
    const held = known;
    journal?.step(() => Object.assign(held, { sessions, writeTargets, readTargets, learnedAt }));
    known.sessions += by;
    if (by > 0) known.learnedAt = now;
    const { counts } = known;
    for (const { tool } of record.tools) counts.add(toolKey(tool), by, journal);
    for (const key of record.wordKeys) counts.add(key, by, journal);
    for (const { tool, effect, field, kind, value, origin } of record.targets) {
      const cls = originClass(origin);
      if (isWrite(effect)) {
        known.writeTargets += by;
        if (cls === 'read') known.readTargets += by;
      }
      const place = mix(tool, field);
      counts.add(place, by, journal);
      counts.add(withClass(place, cls), by, journal);
      counts.add(mix(kind, value), by, journal);
    }
    if (known.sessions === 0) this.remove(known, journal);
  }

  /** Takes a request out of sight, for as long as the journal holds it. */
  remove(known: KnownRequest, journal?: Journal): void {
    if (!this.#requests.delete(known.key)) return;
    this.#index?.remove(known);
    journal?.step(() => this.#insert(known));
  }

  #insert(known: KnownRequest): void {
    this.#requests.set(known.key, known);
    this.#index?.insert(known);
  }

  #evictOldest(journal?: Journal): void {
    // While a journal is kept, requests are out of sight that will be back.
    if (journal !== undefined) this.#oldest = [];
    let oldest = this.#nextOldest();
    if (oldest === undefined) {
      this.#oldest = [...this.#requests.values()]
        .map((known) => ({ known, learnedAt: known.learnedAt }))
        .sort((a, b) => b.learnedAt - a.learnedAt || b.known.key - a.known.key)
        .slice(-OLDEST_AT_ONCE);
      oldest = this.#nextOldest();
    }
    if (oldest === undefined) return;
    this.remove(oldest, journal);
    this.#evicted++;
    if (journal !== undefined) this.#oldest = [];
  }

  #nextOldest(): KnownRequest | undefined {
    for (let next = this.#oldest.pop(); next !== undefined; next = this.#oldest.pop()) {
      const { known, learnedAt } = next;
      if (this.#requests.get(known.key) === known && known.learnedAt === learnedAt) return known;
    }
    return undefined;
  }

  toPlain(): PlainRequest[] {
    return [...this.#requests.values()].map((known) => ({
      ...known,
      counts: known.counts.toPlain(),
    }));
  }

  static fromPlain(plain: readonly PlainRequest[], capacity: number): RequestMemory {
    const memory = new RequestMemory(capacity);
    for (const request of plain) {
      memory.#insert({
        ...request,
        // A view of what was decoded would keep all of it.
        words: request.words.slice(),
        counts: CountMap.fromPlain(request.counts, MAX_COUNTS_OF_REQUEST),
      });
    }
    return memory;
  }
}

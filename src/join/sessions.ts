import type { Observation } from '../model/observation.js';
import type { CloseReason } from './port.js';
import type { SessionEntry } from './session-entry.js';

export interface SessionRules {
  windowMs: number;
  /** Event time without events after which a session counts as ended, ms. */
  sessionTimeoutMs: number;
}

/** End of the window that holds `time`, epoch ms. */
export function windowEnd(time: number, windowMs: number): number {
  return windowStart(time, windowMs) + windowMs;
}

export function windowStart(time: number, windowMs: number): number {
  return Math.floor(time / windowMs) * windowMs;
}

/**
 * Event time at which the session closes as far as is known: with the window of its end, or after the timeout.
 * Never within its last window, so that learning comes after that window's result.
 */
export function closesAt(entry: SessionEntry, rules: SessionRules): number {
  if (entry.endAt !== Infinity) return windowEnd(entry.endAt, rules.windowMs);
  return Math.max(entry.aliveAt + rules.sessionTimeoutMs, windowEnd(entry.lastTime, rules.windowMs));
}

/**
 * Counts an event into its session's life.
 *
 * An event beyond the close may arrive while the watermark is still before it: it is kept apart, and joins only when
 * an earlier event, still under way, closes the gap. So the result does not depend on the order of arrival.
 *
 * @param watermark epoch ms: a late event keeps the session alive from here, not from its own past
 */
export function noteEvent(
  entry: SessionEntry,
  event: { observation: Observation; time: number; watermark: number },
  rules: SessionRules,
): void {
  const { observation, time, watermark } = event;
  if (entry.firstTime !== Infinity && time >= closesAt(entry, rules)) {
    entry.beyond++;
    entry.beyondFirst = Math.min(entry.beyondFirst, time);
    entry.beyondLast = Math.max(entry.beyondLast, time);
    return;
  }
  entry.events++;
  entry.firstTime = Math.min(entry.firstTime, time);
  entry.lastTime = Math.max(entry.lastTime, time);
  entry.aliveAt = Math.max(entry.aliveAt, time, watermark);
  const reason = endReason(observation);
  if (reason !== undefined && (time < entry.endAt || (time === entry.endAt && reason === 'ended'))) {
    entry.endAt = time;
    entry.endReason = reason;
  }
  if (entry.beyond > 0 && entry.beyondFirst < closesAt(entry, rules)) {
    entry.events += entry.beyond;
    entry.lastTime = entry.beyondLast;
    entry.aliveAt = Math.max(entry.aliveAt, entry.beyondLast);
    entry.beyond = 0;
    entry.beyondFirst = Infinity;
    entry.beyondLast = -Infinity;
  }
}

function endReason(observation: Observation): CloseReason | undefined {
  if (observation.kind === 'session_end') return 'ended';
  return observation.kind === 'session_summary' ? 'summary' : undefined;
}

/**
 * The sessions of one tenant that are held in memory, least recently heard first. The order is a linked list through
 * the entries: touching one costs no hashing.
 */
export class SessionTable {
  readonly #byKey = new Map<string, SessionEntry>();
  #oldest: SessionEntry | undefined;
  #newest: SessionEntry | undefined;

  get size(): number {
    return this.#byKey.size;
  }

  get oldest(): SessionEntry | undefined {
    return this.#oldest;
  }

  /** @param key as `sessionKey` makes it */
  get(key: string): SessionEntry | undefined {
    return this.#byKey.get(key);
  }

  add(entry: SessionEntry): void {
    this.#byKey.set(entry.key, entry);
    this.#append(entry);
  }

  /** Makes it the most recently heard. */
  touch(entry: SessionEntry): void {
    if (entry === this.#newest) return;
    this.#unlink(entry);
    this.#append(entry);
  }

  remove(entry: SessionEntry): void {
    this.#byKey.delete(entry.key);
    this.#unlink(entry);
  }

  #append(entry: SessionEntry): void {
    entry.older = this.#newest;
    entry.newer = undefined;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink(entry: SessionEntry): void {
    if (entry.older === undefined) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}

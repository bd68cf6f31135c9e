import { murmur32 } from '../lib/hash.js';

export interface WatermarkOptions {
  /** How far behind its newest event an emitter's events may come, ms. */
  outOfOrderMs: number;
  /** Processing time without progress after which an emitter no longer holds the watermark back, ms. */
  idleMs: number;
  /** Event time ahead of arrival that is still believed, ms. */
  maxFutureMs: number;
  /** Event time by which one slow emitter may hold all others back, ms. */
  maxHoldMs: number;
  maxEmitters: number;
  /** Secret of this install and tenant; makes the emitters' salts. */
  saltSeed: number;
}

/** How far one authenticated emitter has come. */
export interface EmitterClock {
  /** Rises with every new emitter of the tenant; orders them after a restart. */
  readonly id: number;
  readonly principalId: string;
  /** Separates this emitter's event ids from those of others, which could otherwise suppress them. */
  readonly salt: number;
  /** Newest believed event time, epoch ms; -Infinity before the first. */
  newest: number;
  /** Processing time at which `newest` last moved. */
  progressAt: number;
  dirty: boolean;
}

/** An emitter's clock as it is kept over a restart. */
export type EmitterState = Omit<EmitterClock, 'dirty' | 'salt'>;

/** The tenant's clock as it is kept over a restart. */
export interface ClockState {
  watermark: number;
  furthest: number;
  progressAt: number;
  sinceScan: number;
  nextEmitterId: number;
  evicted: number;
}

/**
 * Event time of one tenant: the watermark says up to where its events are taken to be complete.
 *
 * It is the least of the active emitters' (newest event time - outOfOrderMs). An emitter is idle, and does not hold
 * it back, once its clock has stood still for `idleMs` of processing time; a mere stream of events with an old date
 * does not keep it active. An emitter behind the watermark is late anyway and does not hold it back either. When all
 * are idle the watermark follows processing time from where event time was last seen, so that silence still closes
 * windows and an old recording does not jump to today. It never goes back. Each tenant has its own, so that one
 * tenant's backfill stalls nobody else.
 *
 * Method: Flink's bounded-out-of-orderness watermarks with idleness (docs, "Generating Watermarks").
 */
export class TenantClock {
  readonly #options: WatermarkOptions;
  readonly #byPrincipal = new Map<string, EmitterClock>();
  #emitters: EmitterClock[] = [];
  #watermark = -Infinity;
  #furthest = -Infinity;
  #progressAt = -Infinity;
  #sinceScan = 0;
  #nextEmitterId = 0;
  #evicted = 0;
  readonly #dropped: number[] = [];

  constructor(options: WatermarkOptions) {
    this.#options = options;
  }

  /** Epoch ms; -Infinity before the first event. */
  get watermark(): number {
    return this.#watermark;
  }

  get emitterCount(): number {
    return this.#emitters.length;
  }

  get evicted(): number {
    return this.#evicted;
  }

  /** The clock of an emitter, made when it is new. Beyond the cap the one that stood still longest is forgotten. */
  emitter(principalId: string): EmitterClock {
    const known = this.#byPrincipal.get(principalId);
    if (known !== undefined) return known;
    if (this.#emitters.length >= this.#options.maxEmitters) this.#evict();
    const emitter: EmitterClock = {
      id: this.#nextEmitterId++,
      principalId,
      salt: murmur32(principalId, this.#options.saltSeed),
      newest: -Infinity,
      progressAt: -Infinity,
      dirty: true,
    };
    this.#byPrincipal.set(principalId, emitter);
    this.#emitters.push(emitter);
    return emitter;
  }

  /**
   * Takes an event's time.
   *
   * @param now processing time, epoch ms: the greatest `observedAt` or tick so far
   * @returns the time to count the event at, epoch ms. It differs from `time` only for an event dated too far ahead,
   *   which must not move time: it is counted where the tenant's believable clocks are
   */
  observe(emitter: EmitterClock, event: { time: number; observedAt: number }, now: number): number {
    const isFuture = event.time - event.observedAt > this.#options.maxFutureMs;
    const frontier = Math.max(this.#furthest, this.#watermark);
    let time = event.time;
    if (isFuture) {
      if (frontier !== -Infinity) return Math.min(event.observedAt, frontier);
      time = event.observedAt;
    }
    if (time > emitter.newest) {
      emitter.newest = time;
      emitter.progressAt = now;
      emitter.dirty = true;
      this.#progressAt = Math.max(this.#progressAt, now);
      if (time > this.#furthest) this.#furthest = time;
    }
    return time;
  }

  /**
   * Moves the watermark as far as the emitters allow. With many emitters it looks only every so many records, which
   * delays it by a fraction of a round and keeps the cost per record constant.
   *
   * @param force true on a tick: look in any case
   * @returns whether it moved
   */
  advance(now: number, force: boolean): boolean {
    this.#sinceScan++;
    if (!force && this.#sinceScan * 4 < this.#emitters.length) return false;
    this.#sinceScan = 0;
    const { outOfOrderMs, idleMs, maxHoldMs } = this.#options;
    let least = Infinity;
    let isAnyActive = false;
    for (const { newest, progressAt } of this.#emitters) {
      if (now - progressAt >= idleMs) continue;
      isAnyActive = true;
      const frontier = newest - outOfOrderMs;
      if (frontier < least && frontier >= this.#watermark && this.#furthest - newest <= maxHoldMs) least = frontier;
    }
    if (!isAnyActive) least = this.#furthest - outOfOrderMs + (now - this.#progressAt);
    if (!Number.isFinite(least) || least <= this.#watermark) return false;
    this.#watermark = least;
    return true;
  }

  /** Emitters that changed since the last call, and ids of those that were forgotten. */
  drain(): { changed: EmitterClock[]; dropped: number[] } {
    const changed = this.#emitters.filter((emitter) => emitter.dirty);
    for (const emitter of changed) emitter.dirty = false;
    return { changed, dropped: this.#dropped.splice(0) };
  }

  state(): ClockState {
    return {
      watermark: this.#watermark,
      furthest: this.#furthest,
      progressAt: this.#progressAt,
      sinceScan: this.#sinceScan,
      nextEmitterId: this.#nextEmitterId,
      evicted: this.#evicted,
    };
  }

  restore(state: ClockState, emitters: readonly EmitterState[]): void {
    this.#watermark = state.watermark;
    this.#furthest = state.furthest;
    this.#progressAt = state.progressAt;
    this.#sinceScan = state.sinceScan;
    this.#nextEmitterId = state.nextEmitterId;
    this.#evicted = state.evicted;
    this.#emitters = emitters
      .map((state) => ({ ...state, salt: murmur32(state.principalId, this.#options.saltSeed), dirty: false }))
      .sort((a, b) => a.id - b.id);
    for (const emitter of this.#emitters) this.#byPrincipal.set(emitter.principalId, emitter);
  }

  #evict(): void {
    let oldest = 0;
    for (const [i, { progressAt }] of this.#emitters.entries()) {
      if (progressAt < (this.#emitters[oldest]?.progressAt ?? Infinity)) oldest = i;
    }
    for (const { id, principalId } of this.#emitters.splice(oldest, 1)) {
      this.#byPrincipal.delete(principalId);
      this.#dropped.push(id);
      this.#evicted++;
    }
  }
}

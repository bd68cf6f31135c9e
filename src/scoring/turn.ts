import { ACTED_ON, type Effect } from '../model/effect.js';
import type { ScoringParts } from './parts.js';

/** Running totals since the start. */
export interface TurnCounters {
  observations: number;
  duplicates: number;
  late: number;
  future: number;
  faults: number;
  damaged: number;
  signals: number;
  incidents: number;
  sessionsLearned: number;
  sessionsQuarantined: number;
}

/**
 * What the steps of scoring share while they take one record after the other: the parts, the present time of the log,
 * the effects so far, and the counters.
 */
export class Turn {
  readonly parts: ScoringParts;
  readonly counters: TurnCounters = {
    observations: 0,
    duplicates: 0,
    late: 0,
    future: 0,
    faults: 0,
    damaged: 0,
    signals: 0,
    incidents: 0,
    sessionsLearned: 0,
    sessionsQuarantined: 0,
  };
  /** Newest processing time in the log, epoch ms. */
  #now = 0;
  #effects: Effect[] = [];
  #urgent = false;

  constructor(parts: ScoringParts) {
    this.parts = parts;
  }

  get now(): number {
    return this.#now;
  }

  /** Time in the log never runs backwards. @param time processing time, epoch ms */
  advance(time: number): void {
    this.#now = Math.max(this.#now, time);
  }

  /** Before the first tick of a log a record's own time is all there is. @param time epoch ms */
  begin(time: number): void {
    if (this.#now === 0) this.#now = time;
  }

  get effectCount(): number {
    return this.#effects.length;
  }

  /** Somebody acts on one of the effects: they should leave soon. */
  get isUrgent(): boolean {
    return this.#urgent;
  }

  emit(effects: readonly Effect[]): void {
    for (const effect of effects) {
      this.#effects.push(effect);
      if (ACTED_ON.has(effect.type)) this.#urgent = true;
    }
  }

  takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    this.#urgent = false;
    return effects;
  }
}

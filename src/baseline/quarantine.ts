import { BoundedMap } from '../lib/bounded-map.js';
import { StateTable } from '../lib/state-table.js';
import type { FinishedSession } from './habits.js';
import type { PastSession } from './history.js';

export interface HeldSession extends Omit<PastSession, 'serial'> {
  /** Absent where an earlier version of this program put it in. */
  finished?: FinishedSession;
}

/** Sessions of one incident that wait for a person's verdict. */
export interface HeldIncident {
  incidentId: string;
  /** Processing time at which the latest session came, epoch ms. */
  time: number;
  sessions: HeldSession[];
}

/** Incidents with sessions in quarantine; the one without news for the longest time goes first. */
const MAX_INCIDENTS = 4_096;
const MAX_SESSIONS_OF_INCIDENT = 16;

/** Keeps flagged sessions out of the baselines until a person has judged them. */
export class Quarantine {
  readonly #table: StateTable<HeldIncident>;
  /** Time by incident, least recently changed first. */
  readonly #known: BoundedMap<string, number>;
  #overflow = 0;

  constructor(load: (key: string) => Uint8Array | undefined) {
    this.#table = new StateTable({ prefix: 'quarantine/', capacity: 256, load });
    this.#known = new BoundedMap(MAX_INCIDENTS, (incidentId) => this.#table.delete(keyOf(incidentId)));
  }

  get size(): number {
    return this.#known.size;
  }

  /** Sessions that found no room, and so are never learned. */
  get dropped(): number {
    return this.#overflow + this.#known.evicted;
  }

  /** @param time processing time, epoch ms */
  hold(incidentId: string, session: HeldSession, time: number): void {
    const key = keyOf(incidentId);
    const held = this.#table.get(key) ?? { incidentId, time, sessions: [] };
    if (held.sessions.length < MAX_SESSIONS_OF_INCIDENT) held.sessions.push(session);
    else this.#overflow++;
    held.time = Math.max(held.time, time);
    this.#table.set(key, held);
    this.#known.set(incidentId, held.time);
  }

  /** Takes an incident's sessions out. */
  release(incidentId: string): HeldSession[] {
    if (!this.#known.delete(incidentId)) return [];
    const held = this.#table.get(keyOf(incidentId))?.sessions ?? [];
    this.#table.delete(keyOf(incidentId));
    return held;
  }

  /** Drops what nobody judged in time. @returns sessions dropped */
  expire(nowMs: number, maxAgeMs: number): number {
    let dropped = 0;
    for (const [incidentId, time] of this.#known.entries()) {
      if (nowMs - time > maxAgeMs) dropped += this.release(incidentId).length;
    }
    return dropped;
  }

  restore(stored: Iterable<HeldIncident>): void {
    const ordered = [...stored].sort((a, b) => a.time - b.time || (a.incidentId < b.incidentId ? -1 : 1));
    for (const { incidentId, time } of ordered) this.#known.set(incidentId, time);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }
}

function keyOf(incidentId: string): string {
  return JSON.stringify([incidentId]);
}

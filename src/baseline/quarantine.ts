import { BoundedMap } from '../lib/bounded-map.js';
import { StateTable } from '../lib/state-table.js';
import type { FinishedSession } from './habits.js';
import type { PastSession } from './history.js';
import { DEFAULT_LEARNING, type Learning } from './learning.js';

export interface HeldSession extends Omit<PastSession, 'serial'> {
  /** Absent where an earlier version of this program put it in. */
  finished?: FinishedSession;
}

/** The call rate of one closed window. */
export interface HeldWindow {
  tenant: string;
  agentId: string;
  /** Calls a minute, and event time, epoch ms. */
  rate: number;
  rateAt: number;
}

/** Sessions and windows of one incident that wait for a person's verdict. */
export interface HeldIncident {
  incidentId: string;
  /** Processing time at which the latest session came, epoch ms. */
  time: number;
  /** Order of the last change among all incidents; absent where an earlier version of this program put it in. */
  changed?: number;
  sessions: HeldSession[];
  windows?: HeldWindow[];
}

/** Windows of one incident for each session it may have. */
const WINDOWS_OF_SESSION = 16;

/** Keeps flagged sessions and windows out of the baselines until a person has judged them. */
export class Quarantine {
  readonly #table: StateTable<HeldIncident>;
  readonly #settings: Learning['quarantine'];
  /** Time by incident, least recently changed first: where there are too many, the one without news for the longest goes. */
  readonly #known: BoundedMap<string, number>;
  #changes = 0;
  #overflow = 0;

  constructor(load: (key: string) => Uint8Array | undefined, settings = DEFAULT_LEARNING.quarantine) {
    this.#settings = settings;
    this.#table = new StateTable({ prefix: 'quarantine/', capacity: 256, load });
    this.#known = new BoundedMap(settings.incidents, (incidentId) => this.#table.delete(keyOf(incidentId)));
  }

  get size(): number {
    return this.#known.size;
  }

  /** Sessions and windows that found no room, and so are never learned. */
  get dropped(): number {
    return this.#overflow + this.#known.evicted;
  }

  /** @param time processing time, epoch ms */
  hold(incidentId: string, session: HeldSession, time: number): void {
    const held = this.#of(incidentId, time);
    if (held.sessions.length < this.#settings.sessionsPerIncident) held.sessions.push(session);
    else this.#overflow++;
    this.#put(held, time);
  }

  /** @param time processing time, epoch ms */
  holdWindow(incidentId: string, window: HeldWindow, time: number): void {
    const held = this.#of(incidentId, time);
    held.windows ??= [];
    if (held.windows.length < WINDOWS_OF_SESSION * this.#settings.sessionsPerIncident) held.windows.push(window);
    else this.#overflow++;
    this.#put(held, time);
  }

  /** Takes out what an incident holds. */
  release(incidentId: string): { sessions: HeldSession[]; windows: HeldWindow[] } {
    if (!this.#known.delete(incidentId)) return { sessions: [], windows: [] };
    const { sessions = [], windows = [] } = this.#table.get(keyOf(incidentId)) ?? {};
    this.#table.delete(keyOf(incidentId));
    return { sessions, windows };
  }

  /** Drops what nobody judged in time. @returns sessions dropped */
  expire(nowMs: number, maxAgeMs: number): number {
    let dropped = 0;
    for (const [incidentId, time] of this.#known.entries()) {
      if (nowMs - time > maxAgeMs) dropped += this.release(incidentId).sessions.length;
    }
    return dropped;
  }

  restore(stored: Iterable<HeldIncident>): void {
    // Without the sessions, which would all be in memory at once.
    const places = Array.from(stored, ({ incidentId, time, changed = 0 }) => ({ incidentId, time, changed }));
    // Many change at the same time: their order says which one gives way next, as it would have without the restart.
    for (const { incidentId, time, changed } of places.sort((a, b) => a.changed - b.changed || a.time - b.time)) {
      this.#known.set(incidentId, time);
      this.#changes = Math.max(this.#changes, changed);
    }
  }

  #of(incidentId: string, time: number): HeldIncident {
    return this.#table.get(keyOf(incidentId)) ?? { incidentId, time, sessions: [] };
  }

  #put(held: HeldIncident, time: number): void {
    held.time = Math.max(held.time, time);
    held.changed = ++this.#changes;
    this.#table.set(keyOf(held.incidentId), held);
    this.#known.set(held.incidentId, held.time);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }
}

function keyOf(incidentId: string): string {
  return JSON.stringify([incidentId]);
}

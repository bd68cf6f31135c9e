import { StateTable } from '../lib/state-table.js';
import { WARM_SESSIONS, type Agents } from './agents.js';
import {
  calibrationOf,
  FIRST_GROUPS,
  FIRST_SESSIONS,
  groupOf,
  MAX_CALIBRATED,
  outOfFold,
  type Calibration,
} from './calibration.js';
import type { History } from './history.js';
import type { ToolExpectation } from './prior.js';

/** Where an agent's incidents begin, and what that rests on. */
export interface Threshold {
  /** Alarm where the risk is greater; Infinity while the tenant or the agent is warming. */
  nats: number;
  /** Share of clean sessions that may alarm. */
  budget: number;
  /** Independent groups of requests behind it. */
  groups: number;
  /** The smallest budget the history supports, 1 / (groups + 1). */
  strongestBudget: number;
  supported: boolean;
  status: 'warming' | 'calibrated';
}

/** A tenant is calibrated again when its learned sessions have grown by this factor. */
const GROWTH = 1.25;
/** Tenants whose calibration is held in memory. */
const TENANTS_IN_MEMORY = 1_024;

/** Calibrated thresholds by tenant and agent. */
export class Thresholds {
  readonly #table: StateTable<Calibration>;
  readonly #budget: number;
  readonly #model: ToolExpectation;
  readonly #agents: Agents;
  readonly #history: History;

  constructor(options: {
    budget: number;
    model: ToolExpectation;
    agents: Agents;
    history: History;
    load: (key: string) => Uint8Array | undefined;
  }) {
    this.#budget = options.budget;
    this.#model = options.model;
    this.#agents = options.agents;
    this.#history = options.history;
    this.#table = new StateTable({ prefix: 'calibration/', capacity: TENANTS_IN_MEMORY, load: options.load });
  }

  /** Recomputes a tenant's thresholds from its history. @returns false where there is no history to go by */
  calibrate(tenant: string): boolean {
    const sessions = this.#history.newest(tenant, MAX_CALIBRATED);
    if (sessions.length === 0) return false;
    const pool = this.#agents.pool(tenant);
    const agent = (agentId: string) => this.#agents.find(tenant, agentId);
    const samples = outOfFold(sessions, { pool, agent, model: this.#model });
    this.#table.set(JSON.stringify([tenant]), calibrationOf(samples, this.#budget, pool.sessions));
    return true;
  }

  /** Calibrates where the history has become long enough, or has grown by a quarter since. @returns whether it did */
  calibrateIfDue(tenant: string): boolean {
    const held = this.#held(tenant);
    const learned = this.#agents.pool(tenant).sessions;
    if (held === undefined) {
      if (this.#history.size(tenant) < FIRST_SESSIONS || this.#groups(tenant) < FIRST_GROUPS) return false;
    } else if (learned < GROWTH * held.learnedSessions) return false;
    return this.calibrate(tenant);
  }

  of(tenant: string, agentId: string): Threshold {
    const held = this.#held(tenant);
    if (held === undefined || !this.#agents.isWarm(tenant, agentId)) {
      const nothing = { groups: 0, strongestBudget: 1, supported: false };
      return { nats: Number.POSITIVE_INFINITY, budget: this.#budget, ...nothing, status: 'warming' };
    }
    const { budget, groups, strongestBudget, supported } = held;
    const nats = held.agents.get(agentId) ?? held.unknownNats;
    return { nats, budget, groups, strongestBudget, supported, status: 'calibrated' };
  }

  /** One sentence for people: which budget the history supports. */
  promise(tenant: string): string {
    const held = this.#held(tenant);
    if (held === undefined) {
      return `Warming up: no incident opens from statistics before ${FIRST_SESSIONS} clean sessions of ${FIRST_GROUPS} kinds of request are learned from agents with at least ${WARM_SESSIONS} sessions each (so far ${this.#history.size(tenant)} sessions).`;
    }
    const known = `${held.groups} independent kinds of request support a budget of ${percent(held.strongestBudget)} at best`;
    return held.supported
      ? `Calibrated for ${percent(held.budget)} false alarms: ${known}.`
      : `${percent(held.budget)} false alarms are asked for, but ${known}; until more is learned the threshold is the highest clean risk seen.`;
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }

  #held(tenant: string): Calibration | undefined {
    return this.#table.get(JSON.stringify([tenant]));
  }

  #groups(tenant: string): number {
    return new Set(this.#history.newest(tenant, MAX_CALIBRATED).map(groupOf)).size;
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 2 : 0)} %`;
}

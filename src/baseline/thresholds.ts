import { StateTable } from '../lib/state-table.js';
import { isElsewhere, type AdoptedProfiles } from './adopted-profiles.js';
import type { Agents } from './agents.js';
import { calibrationOf, thresholdIn, type Calibration } from './calibration.js';
import { namedSamples } from './class-samples.js';
import type { History } from './history.js';
import type { Learning } from './learning.js';
import type { Models } from './prior.js';
import { advance, samplesOf, sweepOf, type Sweep } from './sweep.js';
import type { OutOfFold } from './threshold.js';

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

/** Shares of clean sessions that may alarm. */
export interface Budgets {
  standard: number;
  /** By class of agents, where its profile asks for another one. */
  classes: ReadonlyMap<string, number>;
  of: (agentId: string) => number;
}

/** How a calibration goes about its work, from so many learned sessions on. */
interface Pace {
  from: number;
  growth: number;
  learnedForScored: number;
  sessionsAStep: number;
}

/** Learned sessions from which on a calibration waits for more growth. */
const FIRST_GROWN = 256;

/**
 * By sessions learned when a tenant was calibrated last: it is calibrated again when they have grown by this share and
 * by so many for each one that is scored again, and meanwhile each learned session scores so many again. So a tenant
 * that is known well pays for half a session with each that it learns.
 */
function pacesOf({ sessions, growth, laterGrowth }: Learning['calibration']): readonly Pace[] {
  return [
    { from: 4 * sessions, growth: laterGrowth, learnedForScored: 2, sessionsAStep: 1 },
    { from: sessions, growth: laterGrowth, learnedForScored: 1, sessionsAStep: 2 },
    { from: FIRST_GROWN, growth: laterGrowth, learnedForScored: 0, sessionsAStep: 4 },
    { from: 0, growth, learnedForScored: 0, sessionsAStep: 8 },
  ];
}

/** A history this short is scored at once. */
const AT_ONCE = 32;
/** Tenants whose calibration is held in memory. */
const TENANTS_IN_MEMORY = 1_024;

/** Calibrated thresholds by tenant and agent. */
export class Thresholds {
  readonly #table: StateTable<Calibration>;
  readonly #sweeps: StateTable<Sweep>;
  readonly #budgets: Budgets;
  readonly #models: Models;
  readonly #agents: Agents;
  readonly #history: History;
  readonly #learning: Learning;
  readonly #adopted: AdoptedProfiles;
  readonly #paces: readonly Pace[];

  constructor(options: {
    learning: Learning;
    budgets: Budgets;
    models: Models;
    agents: Agents;
    history: History;
    adopted: AdoptedProfiles;
    load: (key: string) => Uint8Array | undefined;
  }) {
    this.#budgets = options.budgets;
    this.#models = options.models;
    this.#agents = options.agents;
    this.#history = options.history;
    this.#learning = options.learning;
    this.#adopted = options.adopted;
    this.#paces = pacesOf(options.learning.calibration);
    this.#table = new StateTable({ prefix: 'calibrated/', capacity: TENANTS_IN_MEMORY, load: options.load });
    this.#sweeps = new StateTable({ prefix: 'sweep/', capacity: TENANTS_IN_MEMORY, load: options.load });
  }

  /** Recomputes a tenant's thresholds at once. @returns false where there is no history to go by */
  calibrate(tenant: string): boolean {
    const sweep = this.#begin(tenant);
    if (sweep.serials.length === 0) return false;
    this.#advance(tenant, sweep, Number.POSITIVE_INFINITY);
    return true;
  }

  /**
   * To be called after each learned session. Begins a calibration where the history has become long enough, or has
   * grown by a quarter since the last one, and takes one step of the one that is under way.
   *
   * @returns whether the thresholds have changed
   */
  calibrateIfDue(tenant: string): boolean {
    const sweep = this.#sweeps.get(JSON.stringify([tenant])) ?? (this.#isDue(tenant) ? this.#begin(tenant) : undefined);
    if (sweep === undefined) return false;
    const { sessionsAStep } = this.#paceOf(sweep.learnedSessions);
    return this.#advance(tenant, sweep, sweep.serials.length <= AT_ONCE ? AT_ONCE : sessionsAStep);
  }

  /** Other partitions' samples have changed: the thresholds are made of them and of this one's own. */
  recalibrate(tenant: string): void {
    const own = this.#adopted.ownSamples(tenant);
    const held = this.#held(tenant);
    if (held === undefined && own.length + this.#adopted.samples(tenant).length === 0) return;
    this.#settle(tenant, own, held?.learnedSessions ?? 0);
  }

  /** Gives up a calibration that is under way: what it rests on has changed. */
  abandon(tenant: string): void {
    this.#sweeps.delete(JSON.stringify([tenant]));
  }

  /** What a tenant's thresholds are; undefined while it is warming. */
  calibration(tenant: string): Calibration | undefined {
    return this.#held(tenant);
  }

  /** Takes up thresholds that were made before. */
  adopt(tenant: string, calibration: Calibration): void {
    this.abandon(tenant);
    this.#table.set(JSON.stringify([tenant]), calibration);
  }

  #isDue(tenant: string): boolean {
    const held = this.#held(tenant);
    const { sessions } = this.#learning.calibration;
    if (held !== undefined) {
      const { growth, learnedForScored } = this.#paceOf(held.learnedSessions);
      // One at least: what was adopted may be all there is, of no session learned here.
      const wait = Math.max(1, growth * held.learnedSessions, learnedForScored * sessions);
      return this.#agents.pools.sessions(tenant) >= held.learnedSessions + wait;
    }
    const { calibrationSessions, calibrationRequests } = this.#learning.warmUp;
    return (
      this.#history.size(tenant) >= calibrationSessions &&
      this.#history.groups(tenant, sessions).length >= calibrationRequests
    );
  }

  #paceOf(learnedSessions: number): Pace {
    const pace = this.#paces.find(({ from }) => learnedSessions >= from);
    if (pace === undefined) throw new RangeError(`fewer than no sessions were learned: ${learnedSessions}`);
    return pace;
  }

  #begin(tenant: string): Sweep {
    const groups = this.#history.groups(tenant, this.#learning.calibration.sessions);
    return sweepOf(groups, this.#agents.pools.sessions(tenant));
  }

  #advance(tenant: string, sweep: Sweep, sessions: number): boolean {
    const key = JSON.stringify([tenant]);
    const isThrough = advance(sweep, sessions, {
      from: (agentId) => {
        const own = this.#agents.find(tenant, agentId);
        if (own === undefined) return undefined;
        const pool = this.#agents.pool(tenant, agentId);
        return { own, pool, peers: this.#agents.peersOf(agentId), models: this.#models };
      },
      past: (agentId, serial) => this.#history.find(tenant, agentId, serial),
    });
    if (isThrough) {
      this.#sweeps.delete(key);
      const samples = samplesOf(sweep);
      this.#adopted.keepSamples(tenant, namedSamples(samples));
      this.#settle(tenant, samples, sweep.learnedSessions);
    } else this.#sweeps.set(key, sweep);
    return isThrough;
  }

  #settle(tenant: string, own: readonly OutOfFold[], learnedSessions: number): void {
    const others = this.#adopted.samples(tenant);
    const calibration = calibrationOf([...own, ...others], this.#asked(), learnedSessions);
    for (const agentId of calibration.levels.keys()) if (isElsewhere(agentId)) calibration.levels.delete(agentId);
    this.#table.set(JSON.stringify([tenant]), calibration);
  }

  of(tenant: string, agentId: string): Threshold {
    const held = this.#held(tenant);
    const budget = this.#budgets.of(agentId);
    if (held === undefined || !this.#agents.isWarm(tenant, agentId)) {
      const nothing = { groups: 0, strongestBudget: 1, supported: false };
      return { nats: Number.POSITIVE_INFINITY, budget, ...nothing, status: 'warming' };
    }
    const { groups, strongestBudget } = held;
    const nats = thresholdIn(held, agentId, budget);
    return { nats, budget, groups, strongestBudget, supported: strongestBudget <= budget, status: 'calibrated' };
  }

  /** One sentence for people: which budget the history supports. */
  promise(tenant: string): string {
    const held = this.#held(tenant);
    if (held === undefined) {
      const { sessions, calibrationSessions, calibrationRequests } = this.#learning.warmUp;
      return `Warming up: no incident opens from statistics before ${calibrationSessions} clean sessions of ${calibrationRequests} kinds of request are learned from agents with at least ${sessions} sessions each (so far ${this.#history.size(tenant)} sessions).`;
    }
    const known = `${held.groups} independent kinds of request support a budget of ${percent(held.strongestBudget)} at best`;
    const { standard, classes } = this.#budgets;
    const until = 'until more is learned the threshold is an estimate from the shape of the tail.';
    const first =
      held.strongestBudget <= standard
        ? `Calibrated for ${percent(standard)} false alarms: ${known}.`
        : `${percent(standard)} false alarms are asked for, but ${known}; ${until}`;
    const tooStrict = [...classes].filter(([, budget]) => held.strongestBudget > budget && budget !== standard);
    if (tooStrict.length === 0) return first;
    const list = tooStrict.map(([name, budget]) => `${percent(budget)} for ${name}`).join(', ');
    return `${first} Asked for by profiles and not supported yet: ${list}; ${percent(held.strongestBudget)} can be promised, and ${until}`;
  }

  #asked(): number[] {
    return [...new Set([this.#budgets.standard, ...this.#budgets.classes.values()])];
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
    this.#sweeps.drain(puts, deletes);
  }

  #held(tenant: string): Calibration | undefined {
    return this.#table.get(JSON.stringify([tenant]));
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 2 : 0)} %`;
}

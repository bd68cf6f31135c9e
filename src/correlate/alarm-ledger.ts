import { proportionInterval } from '../lib/proportion.js';
import { StateTable } from '../lib/state-table.js';
import type { Incident } from '../model/incident.js';
import type { Verdict } from '../model/log-record.js';

/** Tallies held in memory; more live in the store. */
const IN_MEMORY = 4_096;

/** What became of a class's sessions since counting began. */
interface Tally {
  /** Sessions closed under a calibrated threshold. */
  sessions: number;
  /** Incidents about single sessions, opened and judged. */
  opened: number;
  harmless: number;
  harmful: number;
}

/** False alarms of one class of agents against its budget. */
export interface RealisedRate {
  agentClass: string;
  sessions: number;
  /** Closed as false positive or as expected. */
  falseAlarms: number;
  truePositives: number;
  /** Incidents that nobody has judged: every one may be a false alarm still. */
  unjudged: number;
  /** False alarms per session, with a 95 % interval (Wilson); 0 without sessions. */
  rate: number;
  low: number;
  high: number;
  budget: number;
  /** Whether the interval lies within the budget, above it, or says neither. */
  verdict: 'within' | 'above' | 'undecided';
}

/**
 * Counts false alarms from what people say when they close incidents, by tenant and class of agents: the realised
 * rate that the budget promises. Counts of the log's records alone, so that replay gives the same.
 */
export class AlarmLedger {
  readonly #tallies: StateTable<Tally>;

  constructor(load: (key: string) => Uint8Array | undefined) {
    this.#tallies = new StateTable({ prefix: 'alarms/', capacity: IN_MEMORY, load });
  }

  /** A session ended that a calibrated threshold had watched. */
  session(tenant: string, agentClass: string): void {
    this.#change(tenant, agentClass, (tally) => tally.sessions++);
  }

  opened({ tenant, sessionId }: Incident, agentClass: string): void {
    if (sessionId !== undefined) this.#change(tenant, agentClass, (tally) => tally.opened++);
  }

  judged({ tenant, sessionId }: Incident, agentClass: string, verdict: Verdict['verdict']): void {
    if (sessionId === undefined) return;
    this.#change(tenant, agentClass, (tally) => {
      if (verdict === 'true-positive') tally.harmful++;
      else tally.harmless++;
    });
  }

  /** The realised rate of each class that has any session or incident. */
  rates(tenant: string, classes: readonly { name: string; budget: number }[]): RealisedRate[] {
    return classes.flatMap(({ name, budget }) => {
      const tally = this.#tallies.get(keyOf(tenant, name));
      return tally === undefined ? [] : [rateOf(name, budget, tally)];
    });
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#tallies.drain(puts, deletes);
  }

  #change(tenant: string, agentClass: string, change: (tally: Tally) => void): void {
    const key = keyOf(tenant, agentClass);
    const tally = this.#tallies.get(key) ?? { sessions: 0, opened: 0, harmless: 0, harmful: 0 };
    change(tally);
    this.#tallies.set(key, tally);
  }
}

/** Puts the rates of several partitions together, class by class. */
export function sumRates(rates: readonly RealisedRate[]): RealisedRate[] {
  const tallies = new Map<string, { budget: number; tally: Tally }>();
  for (const { agentClass, budget, sessions, falseAlarms, truePositives, unjudged } of rates) {
    const { tally } = tallies.get(agentClass) ?? { tally: { sessions: 0, opened: 0, harmless: 0, harmful: 0 } };
    tally.sessions += sessions;
    tally.harmless += falseAlarms;
    tally.harmful += truePositives;
    tally.opened += falseAlarms + truePositives + unjudged;
    tallies.set(agentClass, { budget, tally });
  }
  return [...tallies].map(([name, { budget, tally }]) => rateOf(name, budget, tally));
}

function rateOf(agentClass: string, budget: number, { sessions, opened, harmless, harmful }: Tally): RealisedRate {
  // A session that alarmed and still runs is not among those that ended.
  const trials = Math.max(sessions, harmless);
  const [low, high] = proportionInterval(harmless, trials);
  return {
    agentClass,
    sessions,
    falseAlarms: harmless,
    truePositives: harmful,
    unjudged: Math.max(0, opened - harmless - harmful),
    rate: trials === 0 ? 0 : harmless / trials,
    low,
    high,
    budget,
    verdict: low > budget ? 'above' : high <= budget ? 'within' : 'undecided',
  };
}

function keyOf(tenant: string, agentClass: string): string {
  return JSON.stringify([tenant, agentClass]);
}

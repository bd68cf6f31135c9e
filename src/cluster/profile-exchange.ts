import type { ProfileCadence } from '../baseline/profile-cadence.js';
import type { PoolLimits } from '../baseline/pool-counts.js';
import { StateSeal } from '../baseline/state-seal.js';
import type { KafkaClient } from '../kafka/port.js';
import type { Clock } from '../lib/clock.js';
import type { End, HostedPartition } from '../observer.js';
import { isIdle, ProfileGiving } from './profile-giving.js';
import { ProfileMerging } from './profile-merging.js';
import type { RoutedLog } from './routed-log.js';

/** Looks in the time of one rest, and bounds of what lies between two, ms. */
const LOOKS_PER_REST = 20;
const MIN_LOOK_MS = 50;
const MAX_LOOK_MS = 60_000;
/** Classes that are shown. */
const MAX_SHOWN = 100;

export interface ProfileExchangeParts {
  client: KafkaClient;
  topic: string;
  /** Differs from every other run of every other node. */
  groupId: string;
  sessionTimeoutMs: number;
  partitions: number;
  cadence: ProfileCadence;
  /** Of a pool. */
  limits: PoolLimits;
  /** The install secret. */
  seed: number;
  clock: Clock;
  log: Pick<RoutedLog, 'appendTo'>;
  hosted: () => readonly HostedPartition[];
  notice: (message: string, facts: Record<string, unknown>) => void;
}

/** A version of a class, and the partitions scored here that have adopted it. */
export interface AdoptedClass {
  tenant: string;
  agentClass: string;
  versions: Record<string, number[]>;
}

/**
 * What partitions have learned of each class of agents goes to all others (decision 0035): every partition writes it to
 * a topic, the node that leads merges it, and the log of each partition gets what the others know. It never touches
 * scoring but by that record; whatever fails of it is tried again, and everything else goes on without.
 */
export class ProfileExchange {
  readonly #parts: ProfileExchangeParts;
  readonly #giving: ProfileGiving;
  readonly #merging: ProfileMerging;
  #trouble: string | undefined;

  constructor(parts: ProfileExchangeParts) {
    this.#parts = parts;
    const { cadence, seed, notice, hosted } = parts;
    const shared = {
      ...parts,
      lookMs: Math.max(MIN_LOOK_MS, Math.min(MAX_LOOK_MS, cadence.restMs / LOOKS_PER_REST)),
      seal: StateSeal.of(seed),
      failed: (error: unknown, facts: Record<string, unknown>) => {
        const trouble = error instanceof Error ? error.message : String(error);
        // It is tried again with every look: people need not be told each time.
        if (trouble !== this.#trouble) notice('an exchange of class profiles failed', { ...facts, error: trouble });
        this.#trouble = trouble;
      },
    };
    this.#giving = new ProfileGiving(shared);
    this.#merging = new ProfileMerging({ ...shared, isIdle: () => hosted().every(isIdle) });
  }

  /** Begins with a partition that is scored here. */
  begin(hosted: HostedPartition): End {
    return this.#isNeeded ? this.#giving.begin(hosted) : async () => {};
  }

  /** This node leads. */
  lead(): End {
    return this.#isNeeded ? this.#merging.lead() : async () => {};
  }

  /** What was given, made and dropped in this process, and what partitions that are scored here have adopted. */
  status(): Record<string, unknown> {
    return {
      given: this.#giving.given,
      ...this.#merging.stats(),
      adopted: this.#adopted(),
      ...(this.#trouble === undefined ? {} : { lastTrouble: this.#trouble }),
    };
  }

  #adopted(): AdoptedClass[] {
    const classes = new Map<string, AdoptedClass>();
    for (const { partition, baselines } of this.#parts.hosted()) {
      for (const { tenant, agentClass, version } of baselines.profiles.versions()) {
        const key = JSON.stringify([tenant, agentClass]);
        const one = classes.get(key) ?? { tenant, agentClass, versions: {} };
        if (classes.size >= MAX_SHOWN && !classes.has(key)) continue;
        classes.set(key, one);
        (one.versions[version] ??= []).push(partition);
      }
    }
    return [...classes.values()];
  }

  get #isNeeded(): boolean {
    return this.#parts.partitions > 1;
  }
}

import { contributionSteps } from '../baseline/class-profile.js';
import { isGivingDue, type LastGiven, type ProfileCadence } from '../baseline/profile-cadence.js';
import type { StateSeal } from '../baseline/state-seal.js';
import type { KafkaClient } from '../kafka/port.js';
import { pause } from '../lib/backoff.js';
import type { Clock } from '../lib/clock.js';
import { inTurns } from '../lib/steps.js';
import { unlessAborted } from '../lib/unless-aborted.js';
import type { End, HostedPartition } from '../observer.js';
import { contributionRecord } from './profile-records.js';

/** Records that may wait for scoring while it counts as idle: no more than it takes at once. */
const IDLE_RECORDS = 64;

/** Whether scoring has nothing much to do: what can wait is done then. */
export function isIdle({ log, scoring }: Pick<HostedPartition, 'log' | 'scoring'>): boolean {
  return log.head - scoring.position < IDLE_RECORDS;
}

export interface GivingParts {
  client: Pick<KafkaClient, 'produce'>;
  topic: string;
  clock: Clock;
  cadence: ProfileCadence;
  /** How often it is looked whether something is due, ms. */
  lookMs: number;
  seal: Promise<StateSeal>;
  failed: (error: unknown, facts: Record<string, unknown>) => void;
}

/** Gives others what the partitions that are scored here have learned themselves of each class of agents. */
export class ProfileGiving {
  readonly #parts: GivingParts;
  #given = 0;

  constructor(parts: GivingParts) {
    this.#parts = parts;
  }

  /** Contributions that were written, in this process. */
  get given(): number {
    return this.#given;
  }

  /** Goes on until it is ended. */
  begin(hosted: HostedPartition): End {
    const ending = new AbortController();
    const life = this.#live(hosted, ending.signal);
    return () => {
      ending.abort();
      return life;
    };
  }

  /** Never rejects. */
  async #live(hosted: HostedPartition, signal: AbortSignal): Promise<void> {
    const { lookMs, failed } = this.#parts;
    const last = new Map<string, LastGiven>();
    while (!signal.aborted) {
      await pause(lookMs, signal);
      try {
        await this.#look(hosted, last, signal);
      } catch (error) {
        failed(error, { partition: hosted.partition });
      }
    }
  }

  async #look(hosted: HostedPartition, last: Map<string, LastGiven>, signal: AbortSignal): Promise<void> {
    const { client, topic, clock, cadence } = this.#parts;
    const { profiles } = hosted.baselines;
    const { partition } = hosted;
    const seal = await this.#parts.seal;
    if (signal.aborted || !isIdle(hosted)) return;
    for (const { tenant, agentClass, changes, state } of profiles.own()) {
      const key = JSON.stringify([tenant, agentClass]);
      const now = { changes, at: clock.now() };
      if (!isGivingDue(last.get(key), now, cadence)) continue;
      const place = { tenant, agentClass, partition, changes };
      const contribution = await inTurns(contributionSteps({ ...place, state: state() }, profiles.limits, seal));
      if (signal.aborted) return;
      await unlessAborted(client.produce([contributionRecord(topic, contribution)]), signal);
      if (signal.aborted) return;
      last.set(key, now);
      this.#given++;
      // Scoring goes first.
      if (!isIdle(hosted)) return;
    }
  }
}

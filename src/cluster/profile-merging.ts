import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  latestContributions,
  openContributions,
  profileSteps,
  type OpenedContribution,
} from '../baseline/class-profile.js';
import type { PoolLimits } from '../baseline/pool-counts.js';
import type { ProfileCadence } from '../baseline/profile-cadence.js';
import type { StateSeal } from '../baseline/state-seal.js';
import type { KafkaClient, KafkaGroup } from '../kafka/port.js';
import { pause } from '../lib/backoff.js';
import type { Clock } from '../lib/clock.js';
import { inTurns } from '../lib/steps.js';
import { unlessAborted } from '../lib/unless-aborted.js';
import { encodeRecord } from '../log/record-codec.js';
import type { End } from '../observer.js';
import { offsetsOf } from './offsets.js';
import { givenOutRecord } from './profile-records.js';
import { noDrops, ProfileShelf, type DueClass } from './profile-shelf.js';
import type { RoutedLog } from './routed-log.js';

/** How long nothing is merged after the topic could not be read, ms. */
const REOPEN_MS = 60_000;

export interface MergingParts {
  client: KafkaClient;
  topic: string;
  /** Differs from every other run of every other node. */
  groupId: string;
  sessionTimeoutMs: number;
  partitions: number;
  limits: PoolLimits;
  clock: Clock;
  log: Pick<RoutedLog, 'appendTo'>;
  cadence: ProfileCadence;
  /** How often it is looked whether something is due, ms. */
  lookMs: number;
  seal: Promise<StateSeal>;
  /** Whether scoring on this node has nothing much to do. */
  isIdle: () => boolean;
  failed: (error: unknown, facts: Record<string, unknown>) => void;
}

/**
 * Makes versions of what agents of a class have in common and has every partition adopt them, while this node leads;
 * nothing is held otherwise.
 */
export class ProfileMerging {
  readonly #parts: MergingParts;
  readonly #dropped = noDrops();
  #versions = 0;
  #terms = 0;

  constructor(parts: MergingParts) {
    this.#parts = parts;
  }

  /** Versions that went to all partitions, and records that counted for nothing, in this process. */
  stats(): { versions: number; dropped: Record<string, number> } {
    return { versions: this.#versions, dropped: { ...this.#dropped } };
  }

  /** This node leads, until it is ended. */
  lead(): End {
    const ending = new AbortController();
    const life = this.#live(ending.signal);
    return () => {
      ending.abort();
      return life;
    };
  }

  /** Never rejects. */
  async #live(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Where the topic cannot be read, as before it was made, everything else goes on without.
      const broken = new AbortController();
      const over = AbortSignal.any([signal, broken.signal]);
      const { shelf, group } = await this.#open((error) => {
        this.#parts.failed(error, { topic: this.#parts.topic });
        broken.abort();
      });
      try {
        await this.#readAll(group, over);
        await this.#merge(shelf, over);
      } catch (error) {
        this.#parts.failed(error, { topic: this.#parts.topic });
      }
      await group.stop();
      await pause(REOPEN_MS, signal);
    }
  }

  async #open(fatal: (error: Error) => void): Promise<{ shelf: ProfileShelf; group: KafkaGroup }> {
    const { client, topic, groupId, sessionTimeoutMs, partitions, cadence, lookMs, clock, failed } = this.#parts;
    const shelf = new ProfileShelf({
      partitions,
      seal: await this.#parts.seal,
      restMs: cadence.restMs,
      // All that are due find it out within one look.
      settleMs: 2 * lookMs,
      dropped: (reason, offset) => {
        if (this.#dropped[reason]++ > 0) return;
        failed(new Error(`a record of ${topic} counts for nothing: it is ${MEANING[reason]}`), { topic, offset });
      },
    });
    const group = client.openGroup({
      groupId: `${groupId}-${++this.#terms}`,
      topics: [topic],
      assigner: 'everything',
      compacted: [topic],
      sessionTimeoutMs,
      startOffset: () => shelf.position,
      handlers: {
        assigned: () => {},
        // Nobody else reads in this group: after a break it goes on where it was.
        revoked: () => {},
        records: (_topic, _partition, { records }) => shelf.take(records, clock.now()),
        gap: (gap) => failed(new Error('contributions are gone before they were read'), { ...gap }),
        poison: (poison) => {
          this.#dropped.unreadable++;
          failed(new Error(poison.cause), { topic, offset: poison.offset });
        },
        fatal,
      },
    });
    return { shelf, group };
  }

  /** Half of what there is would make a version that the next one takes back. */
  async #readAll(group: KafkaGroup, signal: AbortSignal): Promise<void> {
    const { client, topic, lookMs } = this.#parts;
    const offsets = await unlessAborted(
      offsetsOf(client, topic, 0, () => signal.aborted),
      signal,
    );
    const goal = offsets === undefined || offsets.high === offsets.low ? 0 : offsets.high;
    while (!signal.aborted && goal > (group.lag()[0]?.position ?? 0)) await pause(lookMs, signal);
  }

  async #merge(shelf: ProfileShelf, signal: AbortSignal): Promise<void> {
    const { lookMs, clock, failed } = this.#parts;
    while (!signal.aborted) {
      await pause(lookMs, signal);
      for (let due = this.#next(shelf, signal); due !== undefined; due = this.#next(shelf, signal)) {
        const { tenant, agentClass } = due;
        try {
          await this.#giveOut(due, signal);
        } catch (error) {
          shelf.putBack(due, clock.now());
          failed(error, { tenant, agentClass });
          break;
        }
      }
    }
  }

  #next(shelf: ProfileShelf, signal: AbortSignal): DueClass | undefined {
    return signal.aborted || !this.#parts.isIdle() ? undefined : shelf.next(this.#parts.clock.now());
  }

  /** One partition after the other: a profile is large. */
  async #giveOut({ tenant, agentClass, version, contributions }: DueClass, signal: AbortSignal): Promise<void> {
    const { client, topic, partitions, limits, clock, log, isIdle, lookMs } = this.#parts;
    const opened: OpenedContribution[] = [];
    for (const one of latestContributions(contributions)) {
      opened.push(...openContributions([one]));
      await nextTurn();
    }
    for (let partition = 0; partition < partitions; partition++) {
      while (!signal.aborted && !isIdle()) await pause(lookMs, signal);
      // Whoever leads next makes it anew; the partitions that have it pass over it.
      if (signal.aborted) return;
      const state = await inTurns(profileSteps(partition, opened, limits));
      const value = { time: clock.now(), tenant, what: 'class-profile' as const, value: version };
      const record = encodeRecord({ type: 'activation', value: { ...value, agentClass, partition, state } });
      await unlessAborted(log.appendTo([partition], record), signal);
    }
    if (signal.aborted) return;
    this.#versions++;
    const givenOut = { tenant, agentClass, version, at: clock.now() };
    await unlessAborted(client.produce([givenOutRecord(topic, givenOut, await this.#parts.seal)]), signal);
  }
}

const MEANING = {
  unreadable: 'none of this program’s, or of another version of it',
  tampered: 'not as this install wrote it',
  elsewhere: 'of a partition that there is not',
  full: 'one more than can be held',
};

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.js';
import { openScoringCore, type ScoringCoreOptions } from '../core-scoring.js';
import type { SharedParts } from '../core-shared.js';
import type { KafkaClient, KafkaGroup, OffsetGap, PoisonBatch, ReceivedRecord } from '../kafka/port.js';
import type { Clock } from '../lib/clock.js';
import { ChangelogRewindError, FencedError } from '../log/changelog-errors.js';
import { MirroredLog } from '../log/mirrored-log.js';
import type { ScoringStore } from '../log/port.js';
import type { HostedPartition } from '../observer.js';
import { KafkaChangelog } from './kafka-changelog.js';
import { logEntries, lostRecords, unreadable } from './log-entries.js';
import type { PartitionState } from './partition-state.js';
import { offsetsOf } from './offsets.js';
import { Publisher, type TellingTopics } from './publisher.js';
import type { RoutedLog } from './routed-log.js';
import type { SharedDetectors } from './shared-detectors.js';

/** Records before the checkpoint that a new machine fetches too: the timelines of incidents name them. */
const LOOKBACK_RECORDS = 20_000;
/** Records that may wait for scoring before no more are fetched. */
const MAX_WAITING_RECORDS = 20_000;
const LOOK_MS = 20;

export interface PartitionTopics extends TellingTopics {
  observations: string;
  state: string;
}

export interface LifeParts {
  state: PartitionState;
  config: Config;
  /** Of how many. */
  partitions: number;
  clock: Clock;
  client: KafkaClient;
  group: () => KafkaGroup;
  topics: PartitionTopics;
  seed: number;
  shared: SharedParts;
  log: RoutedLog;
  detectors: SharedDetectors;
  answer: ScoringCoreOptions['answer'];
  committed: ScoringCoreOptions['committed'];
  seen: NonNullable<ScoringCoreOptions['seen']>;
  notice: (message: string, facts: Record<string, unknown>) => void;
  /** The changelog of the partition is to be read again from another offset. */
  readAgain: (partition: number, offset: number, reason: string) => void;
  /** It is scored from here on. */
  opened: (live: LivePartition) => void;
  /** Something failed while the partition was still owned: the process cannot go on. */
  failed: (error: unknown) => void;
}

/** A partition that is restored and scored here. */
export interface LivePartition extends HostedPartition {
  publisher: Publisher;
  generation: number;
  /** Hash of the detector set that the log activated last; empty before the first. */
  activeSet: string;
}

interface Running {
  live: LivePartition;
  log: MirroredLog;
}

/**
 * One partition from its assignment to this worker until it is given up: restores the scoring state from its changelog,
 * then scores the log from where that state is.
 */
export class PartitionLife {
  readonly partition: number;
  readonly #parts: LifeParts;
  readonly #state: PartitionState;
  readonly #beganAt: number;
  readonly #logOffset: Promise<number>;
  #beginLog: (offset: number) => void = () => {};
  /** The changelog must be read up to here before the state is whole. */
  #goal = Number.POSITIVE_INFINITY;
  #generation: number;
  #changelog: KafkaChangelog | undefined;
  #running: Running | undefined;
  #taking: Promise<void> | undefined;
  #isOver = false;
  /** Offset behind the gap that was told last. */
  #gapEnd = -1;

  /** @param generation of the group when the partition was assigned */
  constructor(parts: LifeParts, generation: number) {
    this.#parts = parts;
    this.#state = parts.state;
    this.partition = parts.state.partition;
    this.#generation = generation;
    this.#beganAt = parts.clock.now();
    this.#logOffset = new Promise((resolve) => {
      this.#beginLog = resolve;
    });
  }

  /** Looks how much of the changelog there is; from then on the partition is taken over as soon as that is read. */
  async begin(): Promise<void> {
    const { client, topics } = this.#parts;
    const offsets = await offsetsOf(client, topics.state, this.partition, () => this.#isOver);
    this.#goal = offsets?.high ?? 0;
    this.advanced();
  }

  get live(): LivePartition | undefined {
    return this.#running?.live;
  }

  /** Offset of the log to read from; known once the state is restored. */
  logOffset(): Promise<number> {
    return this.#logOffset;
  }

  status(): Record<string, unknown> {
    const { entries, bytes, ignored, isWarm } = this.#state.replica.progress;
    const restored = { entries, bytes, ignored, isWarm };
    return { generation: this.#generation, restored, publishing: this.#running?.live.publisher.status() };
  }

  /** Takes what came of the log, in order; waits while scoring is far behind. */
  async takeLog(records: readonly ReceivedRecord[]): Promise<void> {
    const running = this.#running;
    if (running === undefined || this.#isOver) return;
    await running.log.accept(await logEntries(records, this.#parts.detectors, this.#parts.clock));
    while (!this.#isOver && running.log.head - running.live.scoring.position > MAX_WAITING_RECORDS) {
      await sleep(LOOK_MS);
    }
  }

  /** Bytes of the log that are no records: they are kept as dead letters in the place of the records. */
  async takePoison(poison: PoisonBatch): Promise<void> {
    this.#parts.notice('records of the log cannot be read', { ...poison });
    await this.#running?.log.accept(unreadable(poison, this.#parts.clock));
  }

  /** Records of the log are gone before they were read: people must know what was not watched. */
  takeGap(gap: OffsetGap): void {
    const { notice, log, clock } = this.#parts;
    // The consumer finds it, and so does the mirror.
    if (gap.found === this.#gapEnd) return;
    this.#gapEnd = gap.found;
    notice('records of the log were lost before they were scored', { ...gap });
    log
      .appendTo([this.partition], lostRecords(gap, clock))
      .catch((error: unknown) => notice('a gap of the log could not be recorded', { error: String(error) }));
  }

  /**
   * Ends it. The data stays for the next time.
   *
   * @param isHandedOver another worker owns it already: nothing may be written any more
   */
  async end(isHandedOver: boolean): Promise<void> {
    if (isHandedOver || this.#running === undefined) {
      this.giveUp();
      // Ends what is being taken over, too: its marker may never come back, and the store of one that is over is fenced.
      await this.#state.replica.release();
    }
    await this.#taking;
    const running = this.#running;
    if (running !== undefined) {
      await running.live.scoring.stop();
      await running.live.publisher.stop();
    }
    this.giveUp();
    await running?.log.close();
  }

  /** Another worker owns the partition: nothing is written in its name any more. */
  giveUp(): void {
    this.#isOver = true;
    this.#changelog?.giveUp();
    this.#beginLog(0);
  }

  /** The changelog was read on. */
  advanced(): void {
    if (this.#isOver || this.#taking !== undefined || this.#state.replica.nextOffset < this.#goal) return;
    this.#taking = this.#takeOver().catch((error: unknown) => {
      this.#taking = undefined;
      if (error instanceof ChangelogRewindError) this.#parts.readAgain(this.partition, error.from, error.message);
      // Of an owner whose group Kafka has forgotten: what comes next of the changelog says the generation to exceed.
      else if (error instanceof FencedError) this.#parts.notice(error.message, { partition: this.partition });
      else if (!this.#isOver) this.#parts.failed(error);
    });
  }

  async #takeOver(): Promise<void> {
    const { client, topics, group, clock, notice, log: routed } = this.#parts;
    const { partition } = this;
    // Kafka counts anew where it has forgotten a group; the changelog remembers.
    this.#generation = Math.max(this.#generation, this.#state.replica.generation + 1);
    this.#changelog = new KafkaChangelog({
      client,
      topic: topics.state,
      partition,
      generation: this.#generation,
      owns: () => group().owns(topics.observations, partition),
    });
    const store = await this.#state.replica.takeOver(this.#changelog);
    const offsets = await offsetsOf(client, topics.observations, partition, () => this.#isOver);
    const low = offsets?.low ?? 0;
    const log = await MirroredLog.open({
      environment: this.#state.environment,
      remote: { append: (records) => routed.append(records) },
      // What retention took of what is still needed is a gap, and told as one.
      begin: Math.min(Math.max(low + 1, firstNeeded(store)), store.nextPosition),
      needed: store.nextPosition,
      gap: ({ from, to }) => this.takeGap({ topic: topics.observations, partition, expected: from - 1, found: to - 1 }),
    });
    if (this.#isOver) return log.close();
    this.#running = { log, live: this.#openScoring(log, store) };
    const { entries, bytes, isWarm } = this.#state.replica.progress;
    const tookMs = clock.now() - this.#beganAt;
    notice('a partition is scored here', { partition, generation: this.#generation, entries, bytes, isWarm, tookMs });
    this.#beginLog(log.head);
    this.#parts.opened(this.#running.live);
  }

  #openScoring(log: MirroredLog, store: ScoringStore): LivePartition {
    const { config, client, topics, group, clock, partitions } = this.#parts;
    const { partition } = this;
    const share = (cap: number): number => Math.ceil((cap * Math.min(partitions, 2)) / partitions);
    const {
      activeSet,
      stored: _,
      start,
      ...core
    } = openScoringCore({
      ...this.#parts,
      config: {
        ...config,
        join: {
          ...config.join,
          maxSessions: share(config.join.maxSessions),
          maxWindows: share(config.join.maxWindows),
        },
        detection: { ...config.detection, maxAgents: share(config.detection.maxAgents) },
      },
      log,
      store,
      place: { partition, partitions },
      clock,
      failed: (error) => {
        if (!this.#isOver) this.#parts.failed(error);
      },
    });
    const publisher = new Publisher({
      client,
      topics,
      partition,
      store,
      mayWrite: () => !this.#isOver && !group().isFenced(),
      onNotice: (_level, message) => this.#parts.notice(message, { partition }),
    });
    start();
    publisher.start();
    return { ...core, partition, log, store, publisher, activeSet, generation: this.#generation };
  }
}

/** First position of the log that is read here: by scoring, by storing, or for a timeline. */
function firstNeeded(store: ScoringStore): number {
  const needed = Math.min(store.nextPosition - LOOKBACK_RECORDS, store.cursor('store-log') + 1);
  return Math.max(1, needed);
}

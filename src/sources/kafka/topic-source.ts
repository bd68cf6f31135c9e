import type { KafkaClient, KafkaGroup, OffsetGap, PoisonBatch, ReceivedRecord, RecordBatch } from '../../kafka/port.js';
import { backoffMs, pause } from '../../lib/backoff.js';
import type { Clock } from '../../lib/clock.js';
import type { Principal } from '../../model/principal.js';
import type { TopicSourceReport } from '../../model/source-report.js';
import { groupOf, type TopicSourceConfig } from '../../model/source-settings.js';
import type { SourceTroubleKind } from '../../model/source-trouble.js';
import { AgentPartitions } from './agent-partitions.js';
import { InOrder } from './in-order.js';
import { PartitionPace } from './partition-pace.js';
import type { TopicDoors } from './port.js';
import { headerOf } from './read-values.js';
import { NO_FORMAT, SliceTaker, type Reading } from './slice-taker.js';
import { slicesOf } from './slices.js';

/**
 * Slices of exports of one partition that may be on their way at once: what says whose a record is may lie behind it, and
 * is looked for until the wait for it is over (`otlp.waitMs`).
 */
const EXPORTS_AHEAD = 8;
const SLICE_RECORDS = 500;
const SLICE_BYTES = 2 * 1024 * 1024;
/** How long a partition may hold the others back without coming nearer, ms. */
const MAX_HOLD_MS = 10_000;
/** What stopped for good is begun anew after this long: topics are made, and rights given, while others are read. */
const ANEW = { baseMs: 5_000, maxMs: 60_000, random: Math.random };
const MAX_ERROR_CHARS = 500;

export interface TopicSourceParts {
  settings: TopicSourceConfig;
  /** Who speaks in the topics. */
  principal: Principal;
  client: Pick<KafkaClient, 'openGroup' | 'topicOffsets' | 'admin'>;
  doors: TopicDoors;
  clock: Clock;
  /** What people have to know of the source, as an incident. */
  trouble: (noted: { kind: SourceTroubleKind; detail: string; count?: number }) => void;
  /** What an operator should know. */
  notice: (message: string, facts: Record<string, unknown>) => void;
}

type Totals = Pick<TopicSourceReport, 'records' | 'tombstones' | 'unreadable' | 'lost' | 'uncommitted'>;

/**
 * Reads topics of others into the log. At least once: offsets are committed only when the log has what lies before them,
 * and what is read again has the same ids. Nothing is dropped: what cannot be taken in now is waited for, and what can
 * never be is kept as a dead letter that says where it lies.
 */
export class TopicSource {
  readonly #parts: TopicSourceParts;
  readonly #groupId: string;
  readonly #stopping = new AbortController();
  readonly #readings = new Map<string, Reading>();
  readonly #pace: PartitionPace;
  readonly #agents: AgentPartitions;
  readonly #taker: SliceTaker;
  readonly #totals: Totals = { records: 0, tombstones: 0, unreadable: 0, lost: 0, uncommitted: 0 };
  #group: KafkaGroup | undefined;
  #life: Promise<void> = Promise.resolve();
  #hasBegun = false;
  #hasFailed = false;
  #lastError: TopicSourceReport['lastError'];

  constructor(parts: TopicSourceParts) {
    this.#parts = parts;
    this.#groupId = groupOf(parts.settings);
    this.#agents = new AgentPartitions();
    this.#taker = new SliceTaker({ ...parts, agents: this.#agents, failed: (error) => this.#noteError(error) });
    this.#pace = new PartitionPace({
      maxAheadMs: parts.settings.maxAheadMs,
      maxHoldMs: MAX_HOLD_MS,
      now: () => performance.now(),
    });
  }

  start(): void {
    this.#life = this.#live();
  }

  /** Ends reading; what is being written is finished, and read again where it was not committed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { over } of this.#readings.values()) over.abort();
    await this.#life;
  }

  report(): TopicSourceReport {
    const { id, principal, topics, format } = this.#parts.settings;
    const fetched = new Map((this.#group?.lag() ?? []).map((one) => [keyOf(one.topic, one.partition), one]));
    const readings = [...this.#readings.values()];
    const isWaiting = readings.some((reading) => reading.isWaiting);
    return {
      id,
      principalId: principal,
      groupId: this.#groupId,
      topics,
      format,
      state: this.#hasFailed ? 'failed' : isWaiting ? 'waiting' : this.#hasBegun ? 'reading' : 'starting',
      partitions: readings.map(({ topic, partition, position, highWatermark }) => {
        const high = Math.max(highWatermark, fetched.get(keyOf(topic, partition))?.highWatermark ?? 0);
        return { topic, partition, position, lag: Math.max(0, high - position) };
      }),
      ...this.#totals,
      ...this.#taker.counters,
      strayed: this.#agents.moves,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  /** One membership after the other. */
  async #live(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 0; !signal.aborted; attempt++) {
      let fail: (error: Error) => void = () => {};
      const failed = new Promise<Error>((resolve) => {
        fail = resolve;
      });
      const group = this.#open((error) => fail(error));
      this.#group = group;
      const stopped = new Promise<undefined>((resolve) => {
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
      });
      const error = await Promise.race([failed, stopped]);
      const readings = [...this.#readings.values()];
      this.#revoked(readings);
      await group.stop();
      await Promise.all(readings.map(({ taking }) => taking.settled()));
      if (error === undefined) return;
      if (this.#hasBegun) attempt = 0;
      this.#hasBegun = false;
      this.#hasFailed = true;
      this.#noteError(error);
      const detail = `the topics ${this.#parts.settings.topics.join(', ')} cannot be read: ${error.message}`;
      this.#parts.trouble({ kind: 'unreadable', detail });
      this.#parts.notice('a source cannot be read and is tried again', {
        source: this.#parts.settings.id,
        reason: error.message,
      });
      await pause(backoffMs(attempt, ANEW), signal);
    }
  }

  #open(fatal: (error: Error) => void): KafkaGroup {
    const { client, settings } = this.#parts;
    const group: KafkaGroup = client.openGroup({
      groupId: this.#groupId,
      topics: settings.topics,
      assigner: 'colocated',
      // Where the group has committed, or the beginning.
      startOffset: () => undefined,
      handlers: {
        assigned: async (_generation, partitions) => {
          await this.#findPlaces(partitions.map(({ topic, partition }) => this.#begin(topic, partition)));
          this.#hasBegun = true;
          this.#hasFailed = false;
        },
        revoked: (partitions) => this.#revoked(partitions),
        records: (topic, partition, batch) => this.#records(group, { topic, partition }, batch),
        gap: (gap) => this.#gap(group, gap),
        poison: (poison) => this.#poison(group, poison),
        fatal,
      },
    });
    return group;
  }

  #begin(topic: string, partition: number): Reading {
    const over = new AbortController();
    if (this.#stopping.signal.aborted) over.abort();
    const reading = { topic, partition, position: 0, highWatermark: 0, over, isWaiting: false, taking: new InOrder() };
    this.#readings.set(keyOf(topic, partition), reading);
    return reading;
  }

  /** Where reading begins and how much waits there: for those who look, and so that partitions begin together. */
  async #findPlaces(readings: readonly Reading[]): Promise<void> {
    const { client } = this.#parts;
    const topics = [...new Set(readings.map(({ topic }) => topic))];
    try {
      const committed = await client.admin.committed(this.#groupId, topics);
      const ranges = new Map(
        await Promise.all(topics.map(async (topic) => [topic, await client.topicOffsets(topic)] as const)),
      );
      for (const reading of readings) {
        const { topic, partition } = reading;
        const range = ranges.get(topic)?.find((one) => one.partition === partition);
        const place = committed.find((one) => one.topic === topic && one.partition === partition);
        reading.position = Math.max(range?.low ?? 0, place?.offset ?? 0);
        reading.highWatermark = range?.high ?? 0;
      }
    } catch (error) {
      // Reading says it too, record by record.
      this.#noteError(error);
    }
    for (const { topic, partition, position, highWatermark, over } of readings) {
      if (!over.signal.aborted) this.#pace.begin(keyOf(topic, partition), position < highWatermark);
    }
  }

  #revoked(partitions: readonly { topic: string; partition: number }[]): void {
    for (const { topic, partition } of partitions) {
      const key = keyOf(topic, partition);
      this.#readings.get(key)?.over.abort();
      this.#readings.delete(key);
      this.#pace.end(key);
    }
  }

  async #records(
    group: KafkaGroup,
    { topic, partition }: { topic: string; partition: number },
    batch: RecordBatch,
  ): Promise<void> {
    const key = keyOf(topic, partition);
    const reading = this.#readings.get(key);
    if (reading === undefined) return;
    const { signal } = reading.over;
    reading.highWatermark = batch.highWatermark;
    const behind = (batch.records.at(-1)?.offset ?? -1) + 1;
    const limits = {
      maxRecords: SLICE_RECORDS,
      maxBytes: SLICE_BYTES,
      maxSpanMs: this.#parts.settings.maxAheadMs,
    };
    for (const slice of slicesOf(batch.records, (record) => this.#formatOf(record), limits)) {
      await this.#pace.turn(key, slice.records[0]?.time ?? slice.time, signal);
      if (signal.aborted) return;
      await reading.taking.run(
        () => this.#taker.take(slice, reading),
        async (isTaken) => {
          if (!isTaken || signal.aborted) return;
          this.#totals.records += slice.records.length + slice.tombstones;
          this.#totals.tombstones += slice.tombstones;
          reading.position = slice.next;
          this.#pace.done(key, slice.time, slice.next < batch.highWatermark);
          if (slice.next === behind) await this.#commit(group, reading, batch.generation);
        },
        slice.format.startsWith('otlp_') ? EXPORTS_AHEAD : 0,
      );
    }
  }

  #formatOf({ headers }: ReceivedRecord): string {
    const { format, formatHeader } = this.#parts.settings;
    if (formatHeader === undefined || !Object.hasOwn(headers, formatHeader.name)) return format;
    const named = headerOf(headers, formatHeader.name) ?? NO_FORMAT;
    return formatHeader.formats.includes(named) ? named : NO_FORMAT;
  }

  async #commit(group: KafkaGroup, { topic, partition, position }: Reading, generation: number): Promise<void> {
    try {
      await group.commit([{ topic, partition, offset: position }], generation);
    } catch (error) {
      // The next commit, or whoever reads the partition now, makes up for it; what is read again is known by its ids.
      this.#totals.uncommitted++;
      if (!isFenced(error)) this.#noteError(error);
    }
  }

  async #gap(group: KafkaGroup, { topic, partition, expected, found }: OffsetGap): Promise<void> {
    const reading = this.#readings.get(keyOf(topic, partition));
    if (reading === undefined) return;
    await reading.taking.settled();
    const where = `topic ${topic}, partition ${partition}`;
    if (found > expected) {
      this.#totals.lost += found - expected;
      const detail = `${where}: offsets ${expected} to ${found - 1} were deleted before they were read; keep records longer, or read faster`;
      this.#parts.trouble({ kind: 'gap', detail, count: found - expected });
      reading.position = found;
      await this.#commit(group, reading, group.generation);
      return;
    }
    const detail = `${where}: ends at offset ${found}, and was read up to ${expected} before: it was made anew, or lost its end; it is read from its beginning`;
    this.#parts.trouble({ kind: 'gap', detail });
    const offsets = await this.#parts.client.topicOffsets(topic);
    const low = offsets.find((one) => one.partition === partition)?.low ?? 0;
    reading.position = low;
    group.seek(topic, partition, low);
  }

  async #poison(group: KafkaGroup, poison: PoisonBatch): Promise<void> {
    const { topic, partition, offset, lastOffset, cause, hash, bytes } = poison;
    const reading = this.#readings.get(keyOf(topic, partition));
    if (reading === undefined) return;
    await reading.taking.settled();
    const span = offset === lastOffset ? `offset ${offset}` : `offsets ${offset} to ${lastOffset}`;
    const name = `topic ${topic}, partition ${partition}, ${span}`;
    this.#totals.unreadable += lastOffset - offset + 1;
    this.#parts.trouble({ kind: 'unreadable', detail: `${name}: ${cause}`, count: lastOffset - offset + 1 });
    const reason = `${bytes} bytes cannot be read: ${cause}`;
    const refused = [{ index: 0, field: '', reason, raw: '', place: { name, hash: () => hash } }];
    if (!(await this.#taker.refuse(refused, reading))) return;
    reading.position = lastOffset + 1;
    this.#pace.done(keyOf(topic, partition), undefined, reading.position < reading.highWatermark);
    await this.#commit(group, reading, group.generation);
  }

  #noteError(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#lastError = { time: this.#parts.clock.now(), message: message.slice(0, MAX_ERROR_CHARS) };
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function isFenced(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'KAFKA_FENCED';
}

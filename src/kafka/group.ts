import type { Consumer, ConsumerGroupJoinEvent, Kafka as KafkaJs } from 'kafkajs';
import { backoffMs, pause } from '../lib/backoff.js';
import { colocated, everything, holdingFrom } from './assigner.js';
import { RETRY, type KafkaLog } from './connect.js';
import { intoFlow, type FetchedBatch } from './fetched.js';
import { errorType, explain, isHopeless, isProgramFault, KafkaError } from './kafka-errors.js';
import { takeMembership, type CommitTopic, type Membership } from './kafkajs-mended.js';
import { PartitionFlow, type FlowItem } from './partition-flow.js';
import type { KafkaGroup, KafkaGroupOptions, OffsetCommit, PartitionLag, TopicPartition } from './port.js';

const DEFAULT_SESSION_MS = 10_000;
const DEFAULT_REBALANCE_MS = 30_000;
const DEFAULT_QUEUED_BYTES = 8 * 1024 * 1024;
const FETCH_WAIT_MS = 250;
const PARTITION_FETCH_BYTES = 1024 * 1024;
const FETCH_BYTES = 16 * 1024 * 1024;
/** The library has been seen to stop fetching without a word; after so long without a fetch it is begun anew. */
const STALL_MS = 60_000;
const REOPEN_BACKOFF = { baseMs: 250, maxMs: 3_000, random: Math.random };
/** Tries to find a topic before its absence counts as a mistake: metadata lags behind after a broker's start. */
const MISSING_TOPIC_TRIES = 3;

/** A member of a consumer group over kafkajs; docs/decisions/0030-kafka.md has what it counters and how. */
export class KafkaGroupMember implements KafkaGroup {
  readonly #kafka: KafkaJs;
  readonly #options: KafkaGroupOptions;
  readonly #log: KafkaLog;
  readonly #sessionMs: number;
  readonly #flows = new Map<string, PartitionFlow>();
  /** Those nobody was told of yet: the next generation may come before this one is confirmed. */
  readonly #untold = new Set<PartitionFlow>();
  readonly #stopping = new AbortController();
  readonly #heart: NodeJS.Timeout;
  readonly #life: Promise<void>;
  #consumer: Consumer | undefined;
  #membership: Membership | undefined;
  #memberId = '';
  #generation = 0;
  #isRebalancing = true;
  /** When the last heartbeat that succeeded was sent; monotonic, and it goes on while the process is stopped. */
  #lastBeatAt = -Infinity;
  #lastFetchAt = 0;
  #isBeating = false;
  #isOver = false;
  #reopen: (() => void) | undefined;

  constructor(kafka: KafkaJs, options: KafkaGroupOptions, log: KafkaLog) {
    this.#kafka = kafka;
    this.#options = options;
    this.#log = log;
    this.#sessionMs = options.sessionTimeoutMs ?? DEFAULT_SESSION_MS;
    this.#heart = setInterval(() => this.#beat(), Math.max(200, this.#sessionMs / 5));
    this.#life = this.#live();
  }

  get generation(): number {
    return this.#generation;
  }

  get owned(): readonly TopicPartition[] {
    return [...this.#flows.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  isFenced(): boolean {
    return this.#isOver || this.#membership === undefined || performance.now() - this.#lastBeatAt > this.#sessionMs;
  }

  owns(topic: string, partition: number): boolean {
    return !this.isFenced() && !this.#isRebalancing && this.#flows.has(keyOf(topic, partition));
  }

  pause(topic: string, partition: number): void {
    this.#flows.get(keyOf(topic, partition))?.setPaused(true);
  }

  resume(topic: string, partition: number): void {
    this.#flows.get(keyOf(topic, partition))?.setPaused(false);
  }

  seek(topic: string, partition: number, offset: number): void {
    const flow = this.#flows.get(keyOf(topic, partition));
    if (flow === undefined) return;
    flow.seek(offset);
    this.#consumer?.seek({ topic, partition, offset: String(offset) });
    flow.setLost(false);
  }

  async commit(offsets: readonly OffsetCommit[], generation: number): Promise<void> {
    if (offsets.length === 0) return;
    const membership = this.#membership;
    const isOwner = offsets.every(({ topic, partition }) => this.owns(topic, partition));
    if (membership === undefined || generation !== this.#generation || !isOwner) {
      throw new KafkaError(
        'KAFKA_FENCED',
        `Generation ${generation} of ${this.#options.groupId} may not commit any more.`,
      );
    }
    const topics = new Map<string, CommitTopic>();
    for (const { topic, partition, offset, metadata = null } of offsets) {
      const entry = topics.get(topic) ?? { topic, partitions: [] };
      topics.set(topic, entry);
      entry.partitions.push({ partition, offset: String(offset), metadata });
    }
    try {
      await membership.commit([...topics.values()]);
    } catch (cause) {
      throw commitError(cause);
    }
  }

  lag(): PartitionLag[] {
    return [...this.#flows.values()].map(({ topic, partition, handledUpTo = 0, highWatermark }) => ({
      topic,
      partition,
      position: handledUpTo,
      highWatermark,
      lag: Math.max(0, highWatermark - handledUpTo),
    }));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#heart);
    await Promise.all([...this.#flows.values()].map((flow) => flow.stop()));
    this.#reopen?.();
    await this.#life;
    this.#isOver = true;
    this.#flows.clear();
  }

  /** One consumer after the other, until stopped or hopeless. Never rejects. */
  async #live(): Promise<void> {
    let missing = 0;
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt += 1) {
      const consumer = this.#newConsumer();
      const ended = new Promise<unknown>((resolve) => {
        this.#reopen = () => resolve(undefined);
        consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error));
      });
      let failure: unknown;
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
        this.#consumer = consumer;
        this.#lastFetchAt = performance.now();
        // Not awaited: it ends when the first join did, which takes as long as the others need to come back.
        const running = consumer.run({
          autoCommit: false,
          eachBatch: async (payload) => {
            // A seek came while it was on its way. The library's types leave out the raw messages.
            if (!payload.isStale()) this.#take(payload.batch as unknown as FetchedBatch);
          },
        });
        failure = await Promise.race([ended, running.then(() => ended)]);
        attempt = 0;
        missing = 0;
      } catch (error) {
        failure = error;
      }
      this.#lose();
      await consumer.disconnect().catch(() => {});
      if (this.#stopping.signal.aborted) return;
      if (errorType(failure) === 'UNKNOWN_TOPIC_OR_PARTITION') missing += 1;
      if (isHopeless(failure) || isProgramFault(failure) || missing >= MISSING_TOPIC_TRIES) {
        this.#die(this.#hopeless(failure));
        return;
      }
      this.#log('warn', `kafka: group ${this.#options.groupId} is opened anew`, { reason: explain(failure) });
      await pause(backoffMs(attempt, REOPEN_BACKOFF), this.#stopping.signal);
    }
  }

  #newConsumer(): Consumer {
    const { groupId, assigner, rebalanceTimeoutMs = DEFAULT_REBALANCE_MS } = this.#options;
    const holding = (): ReturnType<typeof holdingFrom> =>
      holdingFrom(this.#generation, this.isFenced() ? [] : this.owned);
    const consumer = this.#kafka.consumer({
      groupId,
      partitionAssigners: [assigner === 'colocated' ? colocated(holding) : everything()],
      sessionTimeout: this.#sessionMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: Math.max(200, Math.floor(this.#sessionMs / 5)),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: PARTITION_FETCH_BYTES,
      maxBytes: FETCH_BYTES,
      allowAutoTopicCreation: false,
      metadataMaxAge: 60_000,
      // It never restarts by itself: one that was given up here would come back as a ghost.
      retry: { ...RETRY, restartOnFailure: async () => false },
    });
    const { events } = consumer;
    consumer.on(events.GROUP_JOIN, (event) => this.#onJoin(consumer, event));
    consumer.on(events.REBALANCING, () => {
      this.#isRebalancing = true;
    });
    consumer.on(events.FETCH, () => {
      this.#lastFetchAt = performance.now();
    });
    consumer.on(events.START_BATCH_PROCESS, ({ payload }) => {
      // Batches of nothing but markers are never shown; their offsets count all the same.
      if (payload.batchSize === 0)
        this.#flows.get(keyOf(payload.topic, payload.partition))?.skipTo(Number(payload.lastOffset) + 1);
    });
    return consumer;
  }

  /** Synchronous up to the pause: nothing may be fetched from a partition before its state is restored. */
  #onJoin(consumer: Consumer, { payload }: ConsumerGroupJoinEvent): void {
    const membership = takeMembership(payload.memberId);
    if (membership === undefined || this.#stopping.signal.aborted) return;
    this.#consumer = consumer;
    // Whoever was away, be it for one generation, may find that others wrote in between.
    const isUnbroken =
      payload.memberId === this.#memberId && membership.generation === this.#generation + 1 && !this.isFenced();
    const wanted = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    const wantedKeys = new Set(wanted.map(({ topic, partition }) => keyOf(topic, partition)));
    this.#revoke((flow) => !isUnbroken || !wantedKeys.has(keyOf(flow.topic, flow.partition)));
    this.#membership = membership;
    this.#memberId = payload.memberId;
    this.#generation = membership.generation;
    if (!isUnbroken) this.#lastBeatAt = -Infinity;
    membership.onOutOfRange = (topic, partition, asked, logStart) =>
      this.#onOutOfRange(topic, partition, asked, logStart);
    for (const { topic, partition } of wanted) {
      const key = keyOf(topic, partition);
      let flow = this.#flows.get(key);
      if (flow === undefined) {
        flow = this.#newFlow(topic, partition);
        this.#flows.set(key, flow);
        this.#untold.add(flow);
      } else if (flow.next !== undefined) {
        // The library begins every generation at the committed offsets.
        consumer.seek({ topic, partition, offset: String(flow.next) });
      }
      this.#tellLibrary(flow);
    }
    void this.#settle(membership);
  }

  /** Restores what is new, then lets everything go on. */
  async #settle(membership: Membership): Promise<void> {
    const isCurrent = (): boolean => this.#membership === membership && !this.#stopping.signal.aborted;
    try {
      // Until the coordinator has confirmed it once in this generation, it may be from before a pause of the process.
      while (isCurrent() && this.isFenced()) {
        await this.#beatOnce(membership).catch(() => pause(100, this.#stopping.signal));
      }
      if (!isCurrent()) return;
      this.#isRebalancing = false;
      const added = [...this.#untold];
      this.#untold.clear();
      await this.#options.handlers.assigned(
        membership.generation,
        added.map(({ topic, partition }) => ({ topic, partition })),
      );
      for (const flow of this.#flows.values()) flow.run();
      await Promise.all(added.map((flow) => this.#begin(flow)));
    } catch (error) {
      this.#die(error);
    }
  }

  async #begin(flow: PartitionFlow): Promise<void> {
    const { topic, partition } = flow;
    const offset = await this.#options.startOffset(topic, partition);
    if (flow.isStopped) return;
    if (offset !== undefined) this.#consumer?.seek({ topic, partition, offset: String(offset) });
    flow.begin(offset);
  }

  #newFlow(topic: string, partition: number): PartitionFlow {
    const flow: PartitionFlow = new PartitionFlow({
      topic,
      partition,
      maxQueuedBytes: this.#options.maxQueuedBytes ?? DEFAULT_QUEUED_BYTES,
      handle: (item) => this.#handle(topic, partition, item),
      mayRun: () => !this.#isRebalancing && !this.#isOver && !this.isFenced(),
      onPause: () => this.#tellLibrary(flow),
      onError: (error) => this.#die(error),
    });
    return flow;
  }

  async #handle(topic: string, partition: number, item: FlowItem): Promise<void> {
    const { handlers } = this.#options;
    if (item.kind === 'gap') await handlers.gap(item.gap);
    else if (item.kind === 'poison') await handlers.poison?.(item.poison);
    else {
      const { records, highWatermark } = item;
      await handlers.records(topic, partition, { records, highWatermark, generation: this.#generation });
    }
  }

  #take(batch: FetchedBatch): void {
    const flow = this.#flows.get(keyOf(batch.topic, batch.partition));
    if (flow === undefined || flow.isRestoring) return;
    intoFlow(batch, flow, this.#options.compacted?.includes(batch.topic) ?? false);
  }

  #onOutOfRange(topic: string, partition: number, asked: number, logStart: number): void {
    const flow = this.#flows.get(keyOf(topic, partition));
    if (flow === undefined) return;
    const expected = flow.next ?? asked;
    flow.next = logStart;
    flow.push({ kind: 'gap', gap: { topic, partition, expected, found: logStart } });
    // The log ends before what was already read from it: only whoever knows what that means may go on.
    if (logStart <= expected) flow.setLost(true);
  }

  #tellLibrary(flow: PartitionFlow): void {
    const { topic, partition } = flow;
    const where = [{ topic, partitions: [partition] }];
    try {
      if (flow.isPaused) this.#consumer?.pause(where);
      else this.#consumer?.resume(where);
    } catch {
      // Between two of its lives the library has no group to pause; the next join says it again.
    }
  }

  #beat(): void {
    const membership = this.#membership;
    if (membership !== undefined && !this.#isBeating) {
      this.#isBeating = true;
      this.#beatOnce(membership)
        .catch(() => {})
        .finally(() => {
          this.#isBeating = false;
        });
    }
    if (
      this.#consumer !== undefined &&
      performance.now() - this.#lastFetchAt > Math.max(STALL_MS, 3 * this.#sessionMs)
    ) {
      this.#lastFetchAt = performance.now();
      this.#log('warn', `kafka: ${this.#options.groupId} fetched nothing for too long`, {});
      this.#reopen?.();
    }
  }

  async #beatOnce(membership: Membership): Promise<void> {
    const sentAt = performance.now();
    await membership.heartbeat();
    if (this.#membership !== membership || sentAt <= this.#lastBeatAt) return;
    const wasFenced = this.isFenced();
    this.#lastBeatAt = sentAt;
    if (wasFenced) for (const flow of this.#flows.values()) flow.run();
  }

  /** The membership is over; the partitions may be with others by now. */
  #lose(): void {
    this.#isRebalancing = true;
    this.#consumer = undefined;
    this.#membership = undefined;
    if (!this.#stopping.signal.aborted) this.#revoke(() => true);
  }

  #revoke(isRevoked: (flow: PartitionFlow) => boolean): void {
    const gone = [...this.#flows.values()].filter(isRevoked);
    for (const flow of gone) {
      void flow.stop();
      this.#untold.delete(flow);
      this.#flows.delete(keyOf(flow.topic, flow.partition));
    }
    if (gone.length > 0) this.#options.handlers.revoked(gone.map(({ topic, partition }) => ({ topic, partition })));
  }

  #hopeless(failure: unknown): KafkaError {
    const { groupId, topics } = this.#options;
    const advice =
      errorType(failure) === 'UNKNOWN_TOPIC_OR_PARTITION'
        ? `one of the topics ${topics.join(', ')} does not exist, or may not be seen`
        : explain(failure);
    return new KafkaError('KAFKA_REFUSED', `The consumer group ${groupId} cannot go on: ${advice}`, { cause: failure });
  }

  #die(error: unknown): void {
    if (this.#isOver || this.#stopping.signal.aborted) return;
    this.#isOver = true;
    this.#reopen?.();
    this.#stopping.abort();
    this.#options.handlers.fatal(error instanceof Error ? error : new Error(String(error)));
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

const FENCED = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID']);

function commitError(cause: unknown): KafkaError {
  const code = FENCED.has(errorType(cause))
    ? 'KAFKA_FENCED'
    : isHopeless(cause)
      ? 'KAFKA_REFUSED'
      : 'KAFKA_UNAVAILABLE';
  return new KafkaError(code, `The offsets were not committed: ${explain(cause)}`, { cause });
}

import type { CompressionTypes as Compression, Kafka as KafkaJs, Message, Producer, RecordMetadata } from 'kafkajs';
import { backoffMs, pause } from '../lib/backoff.js';
import { KAFKA_COMPRESSIONS, type KafkaCompression } from '../model/kafka-settings.js';
import { explain, isHopeless, isOneRecordsFault, KafkaError } from './kafka-errors.js';
import { CompressionTypes } from './kafkajs-mended.js';
import type { KafkaRecord } from './port.js';

export interface ProducerOptions {
  compression?: KafkaCompression;
  /** Bytes that may wait for confirmation; beyond, `produce` refuses. */
  maxPendingBytes?: number;
  /** How long a call may wait for its confirmation, ms. */
  deliveryTimeoutMs?: number;
  /** Bytes of one partition that go into one request, unless a single call has more. */
  maxBatchBytes?: number;
  /** Told after every request. */
  onOutcome?: (error: unknown) => void;
}

/** What one call has for one partition. */
interface Piece {
  records: readonly KafkaRecord[];
  bytes: number;
  expiresAt: number;
  resolve: (offset: number) => void;
  reject: (error: Error) => void;
}

/** What waits for one partition, in order. */
interface Lane {
  topic: string;
  partition: number;
  waiting: Piece[];
  /** On its way; those that were told already, because their time was over, as well. */
  sending: Piece[];
  leader: number;
  isSending: boolean;
}

interface Part {
  lane: Lane;
  pieces: Piece[];
}

/** Added to the bytes of key and value: offsets, lengths and times of a record, and its place in memory. */
const RECORD_OVERHEAD_BYTES = 64;
const COMPRESSIONS: Record<KafkaCompression, Compression> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};
/** How often calls are looked at whose time may be over, ms. */
const SWEEP_MS = 200;
const RETRY_BACKOFF = { baseMs: 50, maxMs: 2_000, random: Math.random };
/** No answer of the library and none of a broker: where a leader is not known yet. */
const UNKNOWN_LEADER = -1;

/**
 * Group commit over Kafka: for each leader one request is on its way, and what comes meanwhile shares the next one.
 *
 * Trying again is done here and not by the library, because the library, when a partition moves to a leader that has
 * already answered the same call, reports records as written that it never sent.
 */
export class GroupedProducer {
  readonly #producer: Producer;
  readonly #leaders: (topics: string[]) => Promise<Map<string, number>>;
  readonly #options: Required<Omit<ProducerOptions, 'onOutcome'>>;
  readonly #onOutcome: (error: unknown) => void;
  readonly #lanes = new Map<string, Lane>();
  readonly #closing = new AbortController();
  #connecting: Promise<void> | undefined;
  #isPumping = false;
  #pendingBytes = 0;
  #sweep: NodeJS.Timeout | undefined;
  /** Why the last try failed. */
  #failure: unknown;
  readonly #busyLeaders = new Set<number>();
  readonly #flights = new Set<Promise<void>>();

  /** @param leaders the node that leads each partition, by `topic/partition` */
  constructor(
    kafka: KafkaJs,
    leaders: (topics: string[]) => Promise<Map<string, number>>,
    { onOutcome = () => {}, ...options }: ProducerOptions = {},
  ) {
    this.#options = {
      compression: KAFKA_COMPRESSIONS[0],
      maxPendingBytes: 64 * 1024 * 1024,
      deliveryTimeoutMs: 30_000,
      maxBatchBytes: 1024 * 1024,
      ...options,
    };
    this.#onOutcome = onOutcome;
    this.#leaders = leaders;
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      retry: { retries: 0, initialRetryTime: 50, maxRetryTime: 1_000 },
      createPartitioner: () => () => {
        throw new Error('every record names its partition');
      },
    });
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** See `KafkaClient.produce`. */
  async produce(records: readonly KafkaRecord[]): Promise<number> {
    if (this.#closing.signal.aborted) throw new KafkaError('KAFKA_CLOSED', 'The connection to Kafka is closed.');
    if (records.length === 0) throw new RangeError('There must be at least one record to produce.');
    const pieces = new Map<string, KafkaRecord[]>();
    for (const record of records) {
      const key = laneKey(record);
      const piece = pieces.get(key);
      if (piece === undefined) pieces.set(key, [record]);
      else piece.push(record);
    }
    const bytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
    // A call that alone exceeds the bound would never pass: it may when nothing else waits.
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#options.maxPendingBytes) {
      throw new KafkaError('KAFKA_BUSY', `${this.#pendingBytes} bytes already wait for Kafka; try again later.`);
    }
    this.#pendingBytes += bytes;
    const expiresAt = performance.now() + this.#options.deliveryTimeoutMs;
    this.#sweep ??= setInterval(() => this.#expire(), SWEEP_MS);
    const outcomes = [...pieces].map(([key, part]) => this.#enqueue(key, part, expiresAt));
    this.#pump();
    try {
      const [first] = await Promise.all(outcomes);
      return first ?? 0;
    } finally {
      await Promise.allSettled(outcomes);
      this.#pendingBytes -= bytes;
      if (this.#pendingBytes === 0) {
        clearInterval(this.#sweep);
        this.#sweep = undefined;
      }
    }
  }

  /** Waits for what is on its way, refuses the rest, and disconnects. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#rejectWaiting(
      () => new KafkaError('KAFKA_CLOSED', 'The connection to Kafka was closed before it was written.'),
    );
    await Promise.allSettled(this.#flights);
    if (this.#connecting !== undefined) await this.#producer.disconnect().catch(() => {});
  }

  #enqueue(key: string, records: KafkaRecord[], expiresAt: number): Promise<number> {
    const [first] = records;
    if (first === undefined) throw new RangeError('no records');
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = {
        topic: first.topic,
        partition: first.partition,
        waiting: [],
        sending: [],
        leader: UNKNOWN_LEADER,
        isSending: false,
      };
      this.#lanes.set(key, lane);
    }
    const { waiting } = lane;
    const bytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
    return new Promise((resolve, reject) => waiting.push({ records, bytes, expiresAt, resolve, reject }));
  }

  /** Starts a request for every leader that has none on its way; calls of one turn of the event loop share it. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    queueMicrotask(() => {
      this.#isPumping = false;
      const byLeader = new Map<number, Lane[]>();
      for (const lane of this.#lanes.values()) {
        if (lane.isSending || lane.waiting.length === 0 || this.#busyLeaders.has(lane.leader)) continue;
        const lanes = byLeader.get(lane.leader);
        if (lanes === undefined) byLeader.set(lane.leader, [lane]);
        else lanes.push(lane);
      }
      for (const [leader, lanes] of byLeader) this.#start(leader, lanes);
    });
  }

  #start(leader: number, lanes: Lane[]): void {
    this.#busyLeaders.add(leader);
    for (const lane of lanes) lane.isSending = true;
    const flight = this.#fly(lanes).finally(() => {
      this.#busyLeaders.delete(leader);
      for (const lane of lanes) {
        lane.isSending = false;
        lane.sending = [];
      }
      this.#flights.delete(flight);
      this.#pump();
    });
    this.#flights.add(flight);
  }

  /** Sends what the lanes have, again and again until it is confirmed, hopeless, or too old. Never rejects. */
  async #fly(lanes: readonly Lane[], taken?: Part[]): Promise<void> {
    let left = taken ?? lanes.map((lane) => ({ lane, pieces: this.#take(lane) }));
    for (let attempt = 0; left.length > 0; attempt += 1) {
      let failure: unknown;
      try {
        await this.#connected();
        if (attempt > 0 || left.some(({ lane }) => lane.leader === UNKNOWN_LEADER)) await this.#locate(left);
        left = settle(left, await this.#send(left));
        this.#failure = undefined;
        this.#onOutcome(undefined);
        if (left.length === 0) return;
        failure = new Error('the answer of the broker left partitions out');
      } catch (error) {
        failure = error;
        this.#onOutcome(error);
      }
      const pieces = left.flatMap((part) => part.pieces.map((piece) => ({ lane: part.lane, pieces: [piece] })));
      if (isOneRecordsFault(failure) && pieces.length > 1) {
        // The request was refused because of one of them: each by itself, so that only that one fails.
        for (const one of pieces) await this.#fly([one.lane], [one]);
        return;
      }
      const now = performance.now();
      const isOver = isHopeless(failure) || this.#closing.signal.aborted;
      this.#failure = failure;
      if (isOver) for (const { pieces } of left) for (const piece of pieces) piece.reject(produceError(failure));
      left = left
        .map(({ lane, pieces }) => ({ lane, pieces: isOver ? [] : pieces.filter(({ expiresAt }) => expiresAt > now) }))
        .filter(({ pieces }) => pieces.length > 0);
      if (left.length > 0) await pause(backoffMs(attempt, RETRY_BACKOFF), this.#closing.signal);
    }
  }

  /** From the front of a lane what fits into one request, at least one piece. */
  #take(lane: Lane): Piece[] {
    const pieces: Piece[] = [];
    let bytes = 0;
    for (const piece of lane.waiting) {
      if (pieces.length > 0 && bytes + piece.bytes > this.#options.maxBatchBytes) break;
      pieces.push(piece);
      bytes += piece.bytes;
    }
    lane.sending = lane.waiting.splice(0, pieces.length);
    return pieces;
  }

  async #send(parts: readonly Part[]): Promise<RecordMetadata[]> {
    const topics = new Map<string, Message[]>();
    for (const { lane, pieces } of parts) {
      const messages = topics.get(lane.topic) ?? [];
      topics.set(lane.topic, messages);
      for (const piece of pieces) for (const record of piece.records) messages.push(toMessage(record));
    }
    return this.#producer.sendBatch({
      acks: -1,
      timeout: Math.min(this.#options.deliveryTimeoutMs, 15_000),
      compression: COMPRESSIONS[this.#options.compression],
      topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })),
    });
  }

  async #locate(parts: readonly { lane: Lane }[]): Promise<void> {
    const leaders = await this.#leaders([...new Set(parts.map(({ lane }) => lane.topic))]);
    for (const { lane } of parts) {
      const leader = leaders.get(`${lane.topic}/${lane.partition}`);
      if (leader === undefined) {
        throw new KafkaError('KAFKA_REFUSED', `There is no partition ${lane.partition} of topic ${lane.topic}.`);
      }
      lane.leader = leader;
    }
  }

  #connected(): Promise<void> {
    this.#connecting ??= this.#producer.connect().catch((error: unknown) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  /** A request may take longer than its calls can wait: they are told in time whatever the request does. */
  #expire(): void {
    const now = performance.now();
    const failure = this.#failure ?? new Error('no answer yet');
    for (const { waiting, sending } of this.#lanes.values()) {
      const late = sending.filter((piece) => piece.expiresAt <= now);
      while ((waiting[0]?.expiresAt ?? Infinity) <= now) late.push(...waiting.splice(0, 1));
      if (late.length > 0) this.#onOutcome(failure);
      for (const piece of late) piece.reject(produceError(failure));
    }
  }

  #rejectWaiting(error: () => Error): void {
    for (const lane of this.#lanes.values()) for (const piece of lane.waiting.splice(0)) piece.reject(error());
  }
}

function laneKey({ topic, partition }: KafkaRecord): string {
  return `${topic}/${partition}`;
}

function sizeOf({ key, value, headers }: KafkaRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  if (headers !== undefined) for (const [name, each] of Object.entries(headers)) bytes += name.length + each.byteLength;
  return bytes;
}

function toMessage({ partition, key, value, headers }: KafkaRecord): Message {
  const message: Message = {
    partition,
    key: key === undefined ? null : view(key),
    value: value === null ? null : view(value),
  };
  if (headers !== undefined) {
    message.headers = Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, view(each)]));
  }
  return message;
}

/** The same bytes as a Buffer. */
function view(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Resolves what the broker confirmed. @returns what it did not */
function settle(parts: readonly Part[], answers: readonly RecordMetadata[]): Part[] {
  const offsets = new Map<string, number>();
  for (const { topicName, partition, baseOffset, errorCode } of answers) {
    if (errorCode === 0 && baseOffset !== undefined) offsets.set(`${topicName}/${partition}`, Number(baseOffset));
  }
  return parts.filter(({ lane, pieces }) => {
    let offset = offsets.get(`${lane.topic}/${lane.partition}`);
    if (offset === undefined) return true;
    for (const piece of pieces) {
      piece.resolve(offset);
      offset += piece.records.length;
    }
    return false;
  });
}

function produceError(cause: unknown): KafkaError {
  if (cause instanceof KafkaError) return cause;
  if (isHopeless(cause))
    return new KafkaError('KAFKA_REFUSED', `Kafka refused the records: ${explain(cause)}`, { cause });
  return new KafkaError(
    'KAFKA_UNAVAILABLE',
    `Kafka did not confirm the records in time (${explain(cause)}); they may have been written all the same.`,
    { cause },
  );
}

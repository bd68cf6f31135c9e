/** A record for one partition of one topic. */
export interface KafkaRecord {
  topic: string;
  partition: number;
  key?: Uint8Array;
  /** `null` deletes the key from a compacted topic. */
  value: Uint8Array | null;
  headers?: Readonly<Record<string, Uint8Array>>;
}

/** A record as it came from a partition. */
export interface ReceivedRecord {
  offset: number;
  /** Epoch ms, as its producer or the broker stamped it. */
  time: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: Readonly<Record<string, Uint8Array>>;
}

export interface TopicPartition {
  topic: string;
  partition: number;
}

/** Offsets of one partition: `low` is the first that is still there, `high` the one that the next record gets. */
export interface PartitionOffsets {
  partition: number;
  low: number;
  high: number;
}

/** An offset to commit: that of the next record to read, not of the last one read. */
export interface OffsetCommit extends TopicPartition {
  offset: number;
  metadata?: string;
}

/**
 * The connection to Kafka: everything the program does there goes through it.
 *
 * Its errors carry a code, so that a stage which may not import them still tells them apart: `KAFKA_BUSY` (too many
 * bytes wait: answer 429), `KAFKA_UNAVAILABLE` (the broker did not confirm in time: answer 503; the records may still
 * have been written), `KAFKA_REFUSED` (trying again will not help), `KAFKA_CLOSED`, `KAFKA_FENCED`.
 */
export interface KafkaClient {
  /**
   * Appends records and waits until all in-sync replicas have them (`acks=all`).
   *
   * The records of one call for one partition stand next to each other and in order; those of calls made one after the
   * other stand in the order of the calls. Calls that wait share a request; one request is on its way per leader.
   *
   * @returns offset of the first record of the call; for a call over several partitions that of its first record
   * @throws an error with code `KAFKA_BUSY`, `KAFKA_UNAVAILABLE`, `KAFKA_REFUSED` or `KAFKA_CLOSED`
   */
  produce(records: readonly KafkaRecord[]): Promise<number>;
  /** Low and high offset of every partition of a topic, by partition. */
  topicOffsets(topic: string): Promise<PartitionOffsets[]>;
  /** Number of partitions of a topic. @throws an error with code `KAFKA_REFUSED` when there is no such topic */
  partitionCount(topic: string): Promise<number>;
  /** Joins a consumer group. Connects in the background and goes on trying; what is hopeless is told to `fatal`. */
  openGroup(options: KafkaGroupOptions): KafkaGroup;
  readonly admin: KafkaAdmin;
  /** Whether the last thing asked of Kafka was answered. */
  readonly health: KafkaHealth;
  /** Lets what was handed over be written as far as it can be at once, then disconnects. */
  close(): Promise<void>;
}

export interface KafkaHealth {
  /** `unknown` before anything was asked. */
  state: 'unknown' | 'up' | 'down';
  /** Why it is down, for people. */
  reason?: string;
  /** Bytes handed to `produce` and not confirmed yet. */
  pendingBytes: number;
  /** How long nothing that was asked was answered, ms; 0 while Kafka answers, or nothing is asked of it. */
  unansweredMs: number;
}

export interface KafkaGroupOptions {
  groupId: string;
  topics: readonly string[];
  /**
   * `colocated`: partition N of all topics goes to one member, and a rebalance moves as few partitions as it can.
   * `everything`: every member gets all partitions.
   */
  assigner: 'colocated' | 'everything';
  /** Topics with compaction: offsets that are missing in them mean nothing. */
  compacted?: readonly string[];
  /**
   * Where to begin reading a partition that was just assigned, usually from the own checkpoint; `undefined`: at the
   * offset committed to Kafka, or at the beginning. A throw is told to `fatal`.
   */
  startOffset: (topic: string, partition: number) => Promise<number | undefined> | number | undefined;
  /** Silence after which Kafka gives the partitions to others, ms. */
  sessionTimeoutMs?: number;
  /** How long a member may take to come back to a rebalance, ms. */
  rebalanceTimeoutMs?: number;
  /** Bytes of fetched records that may wait for their handler in one partition, before it is paused. */
  maxQueuedBytes?: number;
  handlers: KafkaGroupHandlers;
}

/**
 * What a group tells. For one partition handlers run one after the other, for different partitions beside each other.
 * Awaiting one is backpressure for its partition only; heartbeats go on meanwhile. A throw is told to `fatal`.
 */
export interface KafkaGroupHandlers {
  /**
   * Partitions that are now owned and were not before, or not without interruption. `generation` is also told when
   * nothing was added: everything owned belongs to it from now on. Reading a partition begins after this resolves.
   */
  assigned: (generation: number, partitions: readonly TopicPartition[]) => Promise<void> | void;
  /** Partitions that belong to others from now on. No handler of theirs begins after this was called. */
  revoked: (partitions: readonly TopicPartition[]) => void;
  records: (topic: string, partition: number, batch: RecordBatch) => Promise<void> | void;
  /**
   * Records from `expected` up to `found` are gone, by retention or deletion; reading goes on at `found`. Where `found`
   * is not greater, the log ends before what was read from it (the topic was made anew, or lost its end): nothing of
   * the partition is read until {@link KafkaGroup.seek}.
   */
  gap: (gap: OffsetGap) => Promise<void> | void;
  /** Records that cannot be read; reading goes on behind them. */
  poison?: (poison: PoisonBatch) => Promise<void> | void;
  /** The group is of no use any more: the process should end with an error. Called at most once. */
  fatal: (error: Error) => void;
}

export interface RecordBatch {
  records: readonly ReceivedRecord[];
  /** Offset that the partition's next record will get, as of the fetch. */
  highWatermark: number;
  /** Generation in which the batch was handed over. */
  generation: number;
}

export interface OffsetGap extends TopicPartition {
  expected: number;
  found: number;
}

/** Bytes in a partition that are no records: damaged, of an unknown codec, or far too much when decompressed. */
export interface PoisonBatch extends TopicPartition {
  /** First and last offset that are skipped. */
  offset: number;
  lastOffset: number;
  cause: string;
  /** SHA-256 of the bytes, hex. */
  hash: string;
  bytes: number;
}

/** Membership in a consumer group. */
export interface KafkaGroup {
  /**
   * Of the current membership; 0 before the first. Rises by each rebalance, but Kafka begins anew when a group was empty
   * for so long that it forgot it: whoever keeps generations must also keep an order of its own.
   */
  readonly generation: number;
  /** Partitions owned now. */
  readonly owned: readonly TopicPartition[];
  /**
   * Whether this process may no longer act for its partitions: it is in no group, or had no successful heartbeat for
   * the session timeout, by a clock that also counts the time in which the process stood still.
   */
  isFenced(): boolean;
  /** Whether a partition is owned, in a stable generation, and not fenced: ask before every write in its name. */
  owns(topic: string, partition: number): boolean;
  /** No more records of a partition until {@link resume}; what is being handled is not interrupted. */
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /** The next records are those from `offset` on; what was fetched and not handled is forgotten. */
  seek(topic: string, partition: number, offset: number): void;
  /**
   * Tells Kafka how far reading has come: a hint for people and tools, never what a restart relies on. Tried once.
   *
   * @throws an error with code `KAFKA_FENCED` when `generation` is over or a partition is not owned
   */
  commit(offsets: readonly OffsetCommit[], generation: number): Promise<void>;
  /** Offset of the next record that a partition's handler will see, and how many are behind it. */
  lag(): PartitionLag[];
  /** Waits for the handlers that run, then leaves the group. */
  stop(): Promise<void>;
}

export interface PartitionLag extends TopicPartition {
  position: number;
  highWatermark: number;
  lag: number;
}

export interface TopicDescription {
  topic: string;
  partitions: { partition: number; leader: number; replicas: number[]; isr: number[] }[];
}

export interface TopicSpec {
  topic: string;
  partitions: number;
  replicationFactor: number;
  config: Readonly<Record<string, string>>;
}

/** Questions and orders to the brokers themselves. */
export interface KafkaAdmin {
  /** Brokers of the cluster. */
  brokers(): Promise<{ nodeId: number; host: string; port: number }[]>;
  topicNames(): Promise<string[]>;
  /** Descriptions of those topics that exist. */
  describe(topics: readonly string[]): Promise<TopicDescription[]>;
  /** Settings of a topic, defaults of the broker included. */
  topicConfig(topic: string): Promise<Record<string, string>>;
  createTopics(topics: readonly TopicSpec[]): Promise<void>;
  /** Sets these settings of a topic and keeps its others. */
  setTopicConfig(topic: string, config: Readonly<Record<string, string>>): Promise<void>;
  addPartitions(topic: string, total: number): Promise<void>;
  deleteTopics(topics: readonly string[]): Promise<void>;
  /** Deletes the records before the offsets. */
  deleteRecords(topic: string, before: readonly { partition: number; offset: number }[]): Promise<void>;
  /** Offsets that a group committed; partitions without one are left out. */
  committed(groupId: string, topics: readonly string[]): Promise<OffsetCommit[]>;
  /** State of a group by Kafka's word (`Stable`, `Empty`, `Dead`...), and its members. */
  describeGroup(groupId: string): Promise<{ state: string; members: { memberId: string; host: string }[] }>;
}

-- Observations as they lie in the log: column names are the fields of src/model/observation.ts, so that the log's bytes
-- can be inserted as they are. Absent texts are empty; absent numbers are NULL where zero would mean something.
--
-- Partition and retention follow observedAt, which our own intake sets: `time` comes from emitters, and a hostile one
-- could open a partition for every day of three centuries, or have its traces expire at once.
CREATE TABLE IF NOT EXISTS observations
(
    partition UInt16 CODEC(ZSTD(1)),
    position UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    schemaVersion UInt8,
    stream LowCardinality(String),
    kind LowCardinality(String),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    observedAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    principalId LowCardinality(String),
    parentAgentId String CODEC(ZSTD(1)),
    sessionId String CODEC(ZSTD(1)),
    traceId String CODEC(ZSTD(1)),
    spanId String CODEC(ZSTD(1)),
    callId String CODEC(ZSTD(1)),
    seq Nullable(UInt64) CODEC(ZSTD(1)),
    chars UInt64 CODEC(ZSTD(1)),
    tokens Nullable(UInt64) CODEC(ZSTD(1)),
    model LowCardinality(String),
    -- Keyed hashes: of the words, of the values contained (prompt, tool_result), or the named numbers of a metric. One
    -- field with two shapes, therefore JSON text; `metrics` below has the numbers.
    words Array(UInt32) CODEC(ZSTD(1)),
    values String CODEC(ZSTD(1)),
    declared Array(Tuple(callId String, tool String)) CODEC(ZSTD(1)),
    tool LowCardinality(String),
    operation LowCardinality(String),
    effect LowCardinality(String),
    tier LowCardinality(String),
    targets Array(Tuple(
        field String,
        kind String,
        value String,
        hash UInt32,
        words Array(UInt32),
        origin String,
        originCall String,
        originTool String)) CODEC(ZSTD(1)),
    argWords Array(UInt32) CODEC(ZSTD(1)),
    argBytes UInt64 CODEC(ZSTD(1)),
    decision LowCardinality(String),
    rawDecision LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    ruleId LowCardinality(String),
    policyVersion LowCardinality(String),
    approvalId String CODEC(ZSTD(1)),
    error LowCardinality(String),
    resultClass Nullable(UInt8),
    tools Array(String) CODEC(ZSTD(1)),
    approverId LowCardinality(String),
    posture LowCardinality(String),
    expiresAt Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    -- Read from `values` when asked for: computing it at insert time would cost every row, and few rows are metrics.
    metrics Map(String, Float64) ALIAS if(stream = 'metric', JSONExtract(values, 'Map(String, Float64)'), map()),
    INDEX byTime time TYPE minmax GRANULARITY 1,
    INDEX byId id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX bySession sessionId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX byTrace traceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(observedAt)
ORDER BY (tenant, agentId, toStartOfHour(time), sessionId, time, id)
TTL toDateTime(observedAt) + toIntervalDay(90)
SETTINGS
    index_granularity = 8192,
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    parts_to_delay_insert = 1000,
    parts_to_throw_insert = 3000;

-- One row per id, also before a merge and across partitions.
CREATE VIEW IF NOT EXISTS observations_v AS SELECT *, metrics FROM observations FINAL;

-- Redacted content, kept apart and short.
CREATE TABLE IF NOT EXISTS payloads
(
    partition UInt16,
    position UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    sessionId String CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    content String CODEC(ZSTD(3)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1)),
    INDEX byId id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(storedAt)
ORDER BY (tenant, agentId, sessionId, time, id)
TTL storedAt + toIntervalDay(7)
SETTINGS
    index_granularity = 1024,
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS payloads_v AS SELECT * FROM payloads FINAL;

-- Records that intake refused, and rows that the engine refused.
CREATE TABLE IF NOT EXISTS dead_letters
(
    partition UInt16,
    position UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    principalId LowCardinality(String),
    field String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    hash String CODEC(ZSTD(1)),
    excerpt String CODEC(ZSTD(3)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(storedAt)
ORDER BY (tenant, time, id)
TTL storedAt + toIntervalDay(90)
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS dead_letters_v AS SELECT * FROM dead_letters FINAL;

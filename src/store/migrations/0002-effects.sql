-- What scoring gives to the world. A later effect with the same id replaces an earlier one: the version is the outbox
-- sequence. `partition` is the log's partition, beside which each has its own outbox.

-- One detector's findings.
CREATE TABLE IF NOT EXISTS signals
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    detectorId LowCardinality(String),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    sessionId String CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    causeId String CODEC(ZSTD(1)),
    seq Nullable(UInt64),
    callId String CODEC(ZSTD(1)),
    tool LowCardinality(String),
    streams Array(LowCardinality(String)),
    emitters Array(LowCardinality(String)),
    pValue Float64,
    sampleSize UInt64,
    nats Float64,
    ingredient Bool,
    violation Bool,
    shadow Bool,
    observed String CODEC(ZSTD(1)),
    expected String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    baselineVersion UInt64,
    evidenceIds Array(String) CODEC(ZSTD(1)),
    tags Array(LowCardinality(String)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(storedAt)
ORDER BY (tenant, agentId, time, id)
TTL storedAt + toIntervalDay(365)
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS signals_v AS SELECT * FROM signals FINAL;

-- Latest state of each incident.
CREATE TABLE IF NOT EXISTS incidents
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    sessionId String CODEC(ZSTD(1)),
    openedAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    updatedAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    status LowCardinality(String),
    severity LowCardinality(String),
    title String CODEC(ZSTD(1)),
    riskNats Float64,
    thresholdNats Float64,
    budget Float64,
    calibrationGroups UInt64,
    openedSeq Nullable(UInt64),
    arithmetic Array(Tuple(label String, nats Float64)) CODEC(ZSTD(1)),
    -- JSON text: the signals as they were then.
    signals String CODEC(ZSTD(3)),
    timeline Array(Tuple(time DateTime64(3, 'UTC'), stream String, text String, refId String)) CODEC(ZSTD(1)),
    emitters Array(LowCardinality(String)),
    violation Bool,
    commandIds Array(String) CODEC(ZSTD(1)),
    verdict LowCardinality(String),
    closedBy LowCardinality(String),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (tenant, id)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS incidents_v AS SELECT * FROM incidents FINAL;

-- Latest state of each command.
CREATE TABLE IF NOT EXISTS commands
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    action LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    sessionId String CODEC(ZSTD(1)),
    tool LowCardinality(String),
    incidentId String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    issuedAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    expiresAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    dryRun Bool,
    state LowCardinality(String),
    acknowledgements Array(Tuple(gatewayId String, effective String, time DateTime64(3, 'UTC'))) CODEC(ZSTD(1)),
    issuedBy LowCardinality(String),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (tenant, id)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS commands_v AS SELECT * FROM commands FINAL;

-- Each step in a command's life.
CREATE TABLE IF NOT EXISTS command_events
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    commandId String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    state LowCardinality(String),
    by LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (tenant, commandId, time, id)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS command_events_v AS SELECT * FROM command_events FINAL;

-- Full current restriction state of each agent.
CREATE TABLE IF NOT EXISTS restrictions
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    version UInt64,
    revokedSessions Array(Tuple(sessionId String, commandId String, expiresAt DateTime64(3, 'UTC'), reason String)) CODEC(ZSTD(1)),
    frozenTools Array(Tuple(tool String, commandId String, expiresAt DateTime64(3, 'UTC'), reason String)) CODEC(ZSTD(1)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (tenant, agentId)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS restrictions_v AS SELECT * FROM restrictions FINAL;

-- Published versions of what is normal.
CREATE TABLE IF NOT EXISTS baseline_versions
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    feature LowCardinality(String),
    version UInt64,
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    sampleCount UInt64,
    sessionCount UInt64,
    status LowCardinality(String),
    -- JSON text: counts or quantiles.
    state String CODEC(ZSTD(3)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (tenant, agentId, feature, version)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS baseline_versions_v AS SELECT * FROM baseline_versions FINAL;

-- Joined windows; a revision replaces the first result.
CREATE TABLE IF NOT EXISTS windows
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    sessionId String CODEC(ZSTD(1)),
    start DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    end DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    revision UInt32,
    -- JSON text: stream name to present, silent or late.
    streams String CODEC(ZSTD(1)),
    counts Tuple(prompts UInt64, messages UInt64, declared UInt64, calls UInt64, writes UInt64, denied UInt64,
        errors UInt64, governance UInt64, metrics UInt64, tokens UInt64, late UInt64) CODEC(ZSTD(1)),
    declaredNotAttempted Array(String) CODEC(ZSTD(1)),
    attemptedNotDeclared Array(String) CODEC(ZSTD(1)),
    emitters Array(LowCardinality(String)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
PARTITION BY toYYYYMM(storedAt)
ORDER BY (tenant, agentId, start, id)
TTL storedAt + toIntervalDay(90)
SETTINGS
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS windows_v AS SELECT * FROM windows FINAL;

-- Calls that waited for a person: one row for each state that a held call was in, so who decided, when and why stays.
CREATE TABLE IF NOT EXISTS holds
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    sessionId String CODEC(ZSTD(1)),
    callId String CODEC(ZSTD(1)),
    tool LowCardinality(String),
    effect LowCardinality(String),
    summary String CODEC(ZSTD(1)),
    argsHash String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    incidentId String CODEC(ZSTD(1)),
    commandId String CODEC(ZSTD(1)),
    gatewayId LowCardinality(String),
    heldAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    expiresAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    onTimeout LowCardinality(String),
    state LowCardinality(String),
    changedAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    usedBy String CODEC(ZSTD(1)),
    decidedBy LowCardinality(String),
    decisionReason String CODEC(ZSTD(1)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (tenant, id, state)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS holds_v AS SELECT * FROM holds FINAL;

ALTER TABLE observations ADD COLUMN IF NOT EXISTS argsHash String CODEC(ZSTD(1)) AFTER argBytes;

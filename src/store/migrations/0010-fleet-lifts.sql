-- Lifts that concern many agents and need two persons: one row for each state that one was in, so who decided stays.
CREATE TABLE IF NOT EXISTS fleet_lifts
(
    partition UInt16,
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    agentClass LowCardinality(String),
    incidentIds Array(String) CODEC(ZSTD(1)),
    state LowCardinality(String),
    commands UInt32,
    agents UInt32,
    proposedBy LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    proposedAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    expiresAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    decidedBy LowCardinality(String),
    decisionReason String CODEC(ZSTD(1)),
    decidedAt DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (tenant, id, state)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS fleet_lifts_v AS SELECT * FROM fleet_lifts FINAL;

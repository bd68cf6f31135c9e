-- Whose data was erased, by whom and why: one row when it was ordered, one when it was done. A person is named by a keyed
-- hash only. Kept for as long as anybody may ask.
CREATE TABLE IF NOT EXISTS erasures
(
    partition UInt16,
    position UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    subject LowCardinality(String),
    name String CODEC(ZSTD(1)),
    orderedBy LowCardinality(String),
    role LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    state LowCardinality(String),
    -- JSON text: rows by table.
    tables String CODEC(ZSTD(1)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, id, state)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS erasures_v AS SELECT * FROM erasures FINAL;

-- Who read the content of which observation, when and why. Kept for as long as anybody may ask.
CREATE TABLE IF NOT EXISTS content_reads
(
    partition UInt16,
    position UInt64 CODEC(Delta, ZSTD(1)),
    id String CODEC(ZSTD(1)),
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    tenant LowCardinality(String),
    readBy LowCardinality(String),
    role LowCardinality(String),
    observationId String CODEC(ZSTD(1)),
    agentId String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    storedAt DateTime('UTC') DEFAULT now() CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, time, id)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS content_reads_v AS SELECT * FROM content_reads FINAL;

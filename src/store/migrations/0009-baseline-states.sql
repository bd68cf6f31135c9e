-- Whole states of published versions, so that an agent can be taken back to them after the data directory is lost. An
-- empty agentId stands for what all agents of the tenant have in common. `seal` is made with the install secret, and is
-- another one for other content: a data directory that was begun anew counts its versions from 1 again.
--
-- A state may be stored twice: whoever reads takes the first of each (tenant, agentId, version, seal). Weekly partitions,
-- so that the oldest can be dropped where all of it gets too large.
CREATE TABLE IF NOT EXISTS baseline_states
(
    partition UInt16,
    tenant LowCardinality(String),
    agentId String CODEC(ZSTD(1)),
    version UInt64,
    -- Event time of its publication; hostile emitters may have made it up.
    time DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    archivedAt DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    sessionCount UInt64,
    -- Bytes of the state before it was packed.
    bytes UInt64,
    -- JSON text: who made this version, where that was not learning.
    origin String CODEC(ZSTD(1)),
    format UInt16,
    -- Fingerprint of the install secret that keyed the hashes in it.
    seedPrint LowCardinality(String),
    seal String CODEC(ZSTD(1)),
    -- Deflated and in base64: compressing it again would gain what base64 cost, for the reader's and the writer's time.
    state String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(archivedAt)
ORDER BY (tenant, agentId, version, seal)
TTL toDateTime(archivedAt) + toIntervalDay(365)
SETTINGS
    index_granularity = 16,
    ttl_only_drop_parts = 1,
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

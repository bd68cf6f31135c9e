-- Which ids of agents belong to which class, as the reference library says that is in force: written whole at every
-- start, so that dashboards can tell classes apart. An agent is of the first class by place with a pattern that matches.
CREATE TABLE IF NOT EXISTS agent_classes
(
    -- Empty: for all tenants.
    tenant LowCardinality(String),
    -- Its name.
    id LowCardinality(String),
    place UInt16,
    -- An id of an agent, or the beginning of one followed by `*`.
    patterns Array(String),
    -- Share of clean sessions that may alarm.
    budget Float64,
    inForce Bool,
    -- Epoch ms.
    writtenAt UInt64
)
ENGINE = ReplacingMergeTree(writtenAt)
ORDER BY (tenant, id)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS agent_classes_v AS
SELECT id AS agentClass, place, patterns, budget FROM agent_classes FINAL WHERE inForce;

-- Every agent that was heard of, with its class; `default` is the one of all that no pattern names.
CREATE VIEW IF NOT EXISTS agents_v AS
WITH (SELECT arraySort(groupArray((place, patterns, agentClass))) FROM agent_classes_v) AS classes
SELECT
    tenant,
    agentId,
    coalesce(
        nullIf(
            tupleElement(
                arrayFirst(
                    class -> arrayExists(
                        pattern -> if(
                            endsWith(pattern, '*'),
                            startsWith(agentId, substring(pattern, 1, length(pattern) - 1)),
                            agentId = pattern),
                        class.2),
                    classes),
                3),
            ''),
        'default') AS agentClass
FROM windows
GROUP BY tenant, agentId;

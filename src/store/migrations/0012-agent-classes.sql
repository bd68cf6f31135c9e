-- Which ids of agents belong to which class, as the reference library says that is in force: written whole at every
-- start, so that dashboards can tell classes apart. An agent is of the first class by place with a pattern that matches.
CREATE TABLE IF NOT EXISTS agent_classes
(
    agentClass LowCardinality(String),
    place UInt16,
    -- An id, or the beginning of one followed by `*`.
    patterns Array(String),
    -- Share of clean sessions that may alarm.
    budget Float64,
    -- Epoch ms; rows of an earlier time are of a library that is not in force any more.
    writtenAt UInt64
)
ENGINE = ReplacingMergeTree(writtenAt)
ORDER BY agentClass
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS agent_classes_v AS
SELECT agentClass, place, patterns, budget
FROM agent_classes FINAL
WHERE writtenAt = (SELECT max(writtenAt) FROM agent_classes);

-- Every agent that was heard of, with its class; `default` is the one of all that no pattern names.
CREATE VIEW IF NOT EXISTS agents_v AS
WITH (SELECT groupArray((agentClass, patterns)) FROM (SELECT agentClass, patterns FROM agent_classes_v ORDER BY place)) AS classes
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
                1),
            ''),
        'default') AS agentClass
FROM (SELECT tenant, agentId FROM windows GROUP BY tenant, agentId);

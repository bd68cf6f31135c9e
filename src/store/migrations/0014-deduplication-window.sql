-- Several workers insert beside each other: a retry is recognised among so many later inserts of all of them. What comes
-- later still is the same row by its id.
ALTER TABLE payloads MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE dead_letters MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE signals MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE incidents MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE commands MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE command_events MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE restrictions MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE baseline_versions MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE windows MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE holds MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE fleet_lifts MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE content_reads MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE erasures MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE agent_classes MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE observations MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE baseline_states MODIFY SETTING non_replicated_deduplication_window = 10000;

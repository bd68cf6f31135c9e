-- Which gateways must confirm a command, how often it was given out, and what was seen of it.
ALTER TABLE commands
    ADD COLUMN IF NOT EXISTS awaits Array(LowCardinality(String)) AFTER acknowledgements,
    ADD COLUMN IF NOT EXISTS deliveries UInt32 AFTER awaits,
    ADD COLUMN IF NOT EXISTS deliveredAt DateTime64(3, 'UTC') CODEC(ZSTD(1)) AFTER deliveries,
    ADD COLUMN IF NOT EXISTS blockedAt DateTime64(3, 'UTC') CODEC(ZSTD(1)) AFTER deliveredAt,
    ADD COLUMN IF NOT EXISTS bypassedBy Array(LowCardinality(String)) AFTER blockedAt;

CREATE OR REPLACE VIEW commands_v AS SELECT * FROM commands FINAL;

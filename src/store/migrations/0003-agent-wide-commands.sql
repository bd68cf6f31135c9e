-- Commands against a whole agent: its posture lowered, or the agent suspended; and who decided about a proposal.
ALTER TABLE commands
    ADD COLUMN IF NOT EXISTS posture LowCardinality(String) AFTER tool,
    ADD COLUMN IF NOT EXISTS decidedBy LowCardinality(String) AFTER issuedBy,
    ADD COLUMN IF NOT EXISTS decisionReason String CODEC(ZSTD(1)) AFTER decidedBy;

ALTER TABLE restrictions
    ADD COLUMN IF NOT EXISTS downgrades Array(Tuple(posture String, commandId String, expiresAt DateTime64(3, 'UTC'), reason String)) CODEC(ZSTD(1)) AFTER frozenTools,
    ADD COLUMN IF NOT EXISTS suspensions Array(Tuple(commandId String, expiresAt DateTime64(3, 'UTC'), reason String)) CODEC(ZSTD(1)) AFTER downgrades;

-- A view keeps the columns it was made with.
CREATE OR REPLACE VIEW commands_v AS SELECT * FROM commands FINAL;

CREATE OR REPLACE VIEW restrictions_v AS SELECT * FROM restrictions FINAL;

-- What the policy says about a proposal, and when a command was sent and lifted.
ALTER TABLE commands
    -- How long it restricts once it is approved, ms.
    ADD COLUMN IF NOT EXISTS containMs UInt64 DEFAULT 0 AFTER waitsFor,
    ADD COLUMN IF NOT EXISTS onTimeout LowCardinality(String) DEFAULT '' AFTER containMs,
    ADD COLUMN IF NOT EXISTS sentAt DateTime64(3, 'UTC') DEFAULT 0 AFTER onTimeout,
    ADD COLUMN IF NOT EXISTS liftedAt DateTime64(3, 'UTC') DEFAULT 0 AFTER sentAt;

-- A view keeps the columns it was made with.
CREATE OR REPLACE VIEW commands_v AS SELECT * FROM commands FINAL;

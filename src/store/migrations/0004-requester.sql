-- Who asked for a grant or an approval, where that is not the agent: without it nobody sees a person approving their own.
ALTER TABLE observations ADD COLUMN IF NOT EXISTS requesterId String DEFAULT '' CODEC(ZSTD(1)) AFTER approverId;

CREATE OR REPLACE VIEW observations_v AS SELECT *, metrics FROM observations FINAL;

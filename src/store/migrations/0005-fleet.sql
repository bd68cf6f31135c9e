-- Incidents about many agents at once, and what they gather; why a command waits for a person.
ALTER TABLE incidents
    -- JSON text; empty where it is about one agent.
    ADD COLUMN IF NOT EXISTS fleet String DEFAULT '' CODEC(ZSTD(3)) AFTER closedBy,
    ADD COLUMN IF NOT EXISTS gatheredBy String DEFAULT '' CODEC(ZSTD(1)) AFTER fleet;

ALTER TABLE commands ADD COLUMN IF NOT EXISTS waitsFor LowCardinality(String) DEFAULT '' AFTER issuedBy;

CREATE OR REPLACE VIEW incidents_v AS SELECT * FROM incidents FINAL;

CREATE OR REPLACE VIEW commands_v AS SELECT * FROM commands FINAL;

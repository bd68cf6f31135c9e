import { mkdirSync } from 'node:fs';
import { loadConfig, type Config } from '../../src/config.js';
import { openCore, type Core } from '../../src/core.js';
import { systemClock } from '../../src/lib/clock.js';
import { decodeRecord } from '../../src/log/record-codec.js';
import type { DeadLetter, LogRecord } from '../../src/model/log-record.js';
import type { Observation } from '../../src/model/observation.js';
import type { TopicSourceReport } from '../../src/model/source-report.js';
import { topicSourcesSchema } from '../../src/model/source-settings.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { startTopicIntake, type TopicIntake } from '../../src/topic-intake.js';

/** Keys that topics may speak with. */
export const TOPIC_KEYS: Config['keys'] = [
  {
    id: 'topics',
    role: 'ingest',
    tenant: 'default',
    streams: ['reasoning', 'action', 'governance', 'metric'],
    agents: ['*'],
    secretSha256: 'a'.repeat(64),
  },
  {
    id: 'bound',
    role: 'ingest',
    tenant: 'default',
    streams: ['reasoning'],
    agents: ['bob'],
    secretSha256: 'b'.repeat(64),
  },
  { id: 'reader', role: 'viewer', tenant: 'default', streams: [], agents: ['*'], secretSha256: 'c'.repeat(64) },
  {
    id: 'signer',
    role: 'ingest',
    tenant: 'default',
    streams: ['reasoning'],
    agents: ['*'],
    secretSha256: 'd'.repeat(64),
    signatures: { publicKeys: [{ id: '1', file: 'key.pem' }], required: true },
  },
];

/** The embedded log with scoring, fed from topics. */
export interface TopicStack {
  core: Core;
  topics: TopicIntake;
  logged: () => LogRecord[];
  observations: (agentId?: string) => Observation[];
  deadLetters: () => DeadLetter[];
  reportOf: (id: string) => TopicSourceReport;
  close: () => Promise<void>;
}

/** A configuration with sources. @param sources entries of `sources.kafka` as a user writes them */
export function topicConfig(dataDir: string, sources: readonly Record<string, unknown>[]): Config {
  mkdirSync(dataDir, { recursive: true });
  const config = loadConfig(undefined, {});
  config.dataDir = dataDir;
  config.sources.kafka = topicSourcesSchema.parse(sources);
  return config;
}

/** @param sources entries of `sources.kafka` as a user writes them */
export function openTopicStack(
  dataDir: string,
  sources: readonly Record<string, unknown>[],
  change: (config: Config) => void = () => {},
): TopicStack {
  const config = topicConfig(dataDir, sources);
  change(config);
  const core = openCore({
    config,
    clock: systemClock,
    notice: () => {},
    failed: (error) => {
      throw error;
    },
  });
  const logger = createLogger('silent');
  const topics = startTopicIntake({
    config,
    keyConfigs: TOPIC_KEYS,
    env: {},
    observer: core,
    clock: systemClock,
    logger,
  });
  const logged = (): LogRecord[] => core.log.read(core.log.tail, 1_000_000).map((entry) => decodeRecord(entry));
  return {
    core,
    topics,
    logged,
    observations: (agentId) =>
      logged().flatMap((record) =>
        record.type === 'observation' && (agentId === undefined || record.value.agentId === agentId)
          ? [record.value]
          : [],
      ),
    deadLetters: () => logged().flatMap((record) => (record.type === 'dead-letter' ? [record.value] : [])),
    reportOf: (id) => {
      const found = topics.report().find((one) => one.id === id);
      if (found === undefined) throw new Error(`no source ${id}`);
      return found;
    },
    close: async () => {
      await topics.stop();
      await core.close();
    },
  };
}

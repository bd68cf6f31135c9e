import { readBatch, holdsLines } from './api/batch.js';
import { principalOf } from './api/keys.js';
import { ConfigError, type Config, type KeyConfig } from './config.js';
import { KafkaConnection } from './kafka/client.js';
import type { Clock } from './lib/clock.js';
import type { Principal } from './model/principal.js';
import type { TopicSourceReport } from './model/source-report.js';
import { groupOf, type TopicSourceConfig } from './model/source-settings.js';
import { fromKafkaBinary } from './normalize/cloud-events.js';
import { acceptExports } from './normalize/otlp/placed-exports.js';
import type { Observer } from './observer.js';
import type { TopicDoors } from './sources/kafka/port.js';
import { TopicSource } from './sources/kafka/topic-source.js';
import type { Logger } from './telemetry/logger.js';

const MAPPED = 'map/';
const RAW_BYTES = 2_048;

export interface TopicIntakeParts {
  config: Config;
  /** The keys of the install, those of the first start among them. */
  keyConfigs: readonly KeyConfig[];
  env: NodeJS.ProcessEnv;
  observer: Pick<Observer, 'intake' | 'otlp' | 'door' | 'mappings'>;
  clock: Clock;
  logger: Logger;
}

/** Topics of others that are read into the log. */
export interface TopicIntake {
  /** Those of a tenant; of all tenants when left out. */
  report: (tenant?: string) => TopicSourceReport[];
  stop: () => Promise<void>;
}

/** Begins to read the topics of `sources.kafka`. @throws ConfigError */
export function startTopicIntake({ config, keyConfigs, env, observer, clock, logger }: TopicIntakeParts): TopicIntake {
  const doors = topicDoors(config, observer);
  const running = config.sources.kafka.map((settings, i) => {
    const where = `sources.kafka.${i} ("${settings.id}")`;
    checkSettings(settings, { where, config, mappings: observer.mappings });
    const principal = speakerOf(settings, keyConfigs, where);
    const client = connect(settings, { where, env, logger });
    const source = new TopicSource({
      settings,
      principal,
      client,
      doors,
      clock,
      trouble: (noted) => observer.door.note(principal, noted),
      notice: (message, facts) => logger.warn(facts, message),
    });
    return { source, client, tenant: principal.tenant };
  });
  for (const { source } of running) source.start();
  return {
    report: (tenant) =>
      running.filter((one) => tenant === undefined || one.tenant === tenant).map(({ source }) => source.report()),
    stop: async () => {
      await Promise.all(running.map(({ source }) => source.stop()));
      await Promise.all(running.map(({ client }) => client.close()));
    },
  };
}

function connect(
  { kafka }: TopicSourceConfig,
  { where, env, logger }: { where: string; env: NodeJS.ProcessEnv; logger: Logger },
): KafkaConnection {
  try {
    return new KafkaConnection(kafka, { env, log: (level, message, facts) => logger[level](facts, message) });
  } catch (error) {
    throw new ConfigError(`${where}: kafka: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Who speaks in the topics. @throws ConfigError */
function speakerOf(settings: TopicSourceConfig, keys: readonly KeyConfig[], where: string): Principal {
  const key = keys.find(({ id }) => id === settings.principal);
  const at = `${where}: principal: "${settings.principal}"`;
  if (key === undefined) throw new ConfigError(`${at} is no key; name one of "keys"`);
  if (key.role !== 'ingest' && key.role !== 'gateway') {
    throw new ConfigError(`${at} may not write observations; name a key with role ingest or gateway`);
  }
  if (key.signatures?.required === true) {
    // Else whoever may write the topic could say without a signature what needs one.
    throw new ConfigError(
      `${at} must sign what it sends, which records of a topic cannot; give the topics a key of their own`,
    );
  }
  const { contentLevel } = settings;
  return { ...principalOf(key), ...(contentLevel === undefined ? {} : { content: contentLevel }) };
}

/** @throws ConfigError */
function checkSettings(
  settings: TopicSourceConfig,
  { where, config, mappings }: { where: string; config: Config; mappings: Observer['mappings'] },
): void {
  for (const format of [settings.format, ...(settings.formatHeader?.formats ?? [])]) {
    if (format.startsWith(MAPPED) && !mappings.has(format.slice(MAPPED.length))) {
      throw new ConfigError(
        `${where}: format: there is no mapping ${format}; put it into ${config.sources.mappingsDir}`,
      );
    }
  }
  const { cluster } = config;
  if (cluster === undefined) return;
  const own = settings.topics.find((topic) => topic.startsWith(`${cluster.topicPrefix}.`));
  if (own !== undefined) {
    throw new ConfigError(
      `${where}: topics: ${own} is called as the cluster's own topics are; give those another topicPrefix`,
    );
  }
  if (groupOf(settings) === cluster.groupId) {
    throw new ConfigError(`${where}: groupId: is that of the workers; choose another`);
  }
}

function topicDoors(config: Config, { intake, otlp }: TopicIntakeParts['observer']): TopicDoors {
  const { maxDepth, maxRecordBytes, maxRecordsPerRequest: maxRecords } = config.http;
  return {
    intake,
    json: (value) => {
      try {
        return readBatch(value, holdsLines(value), { maxDepth, maxRecordBytes, maxRecords });
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'cannot be read';
        return { records: [], refused: [{ index: 0, field: '', reason, raw: value.toString('utf8', 0, RAW_BYTES) }] };
      }
    },
    cloudEvent: fromKafkaBinary,
    exports: (exports, principal, through) =>
      acceptExports(otlp, exports, { principal, limits: { maxRecordBytes, maxRecords }, through }),
  };
}

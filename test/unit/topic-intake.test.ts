import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConfigError, loadConfig, type Config } from '../../src/config.js';
import { systemClock } from '../../src/lib/clock.js';
import { clusterSchema } from '../../src/model/kafka-settings.js';
import { topicSourcesSchema } from '../../src/model/source-settings.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { startTopicIntake } from '../../src/topic-intake.js';
import { openFedCore, type FedCore } from '../support/fed-core.js';
import { TOPIC_KEYS } from '../support/topic-stack.js';

const BROKERS = ['127.0.0.1:1'];

let fed: FedCore;
beforeAll(() => {
  fed = openFedCore(7);
});
afterAll(async () => {
  await fed.close();
  fed.remove();
});

const entry = (change: object = {}) => ({
  id: 'wrong',
  kafka: { brokers: BROKERS },
  topics: ['calls'],
  format: 'native',
  principal: 'topics',
  ...change,
});

function start(change: object, config: Partial<Config> = {}): void {
  const sources = { ...loadConfig(undefined, {}).sources, kafka: topicSourcesSchema.parse([entry(change)]) };
  startTopicIntake({
    config: { ...loadConfig(undefined, {}), sources, ...config },
    keyConfigs: TOPIC_KEYS,
    env: {},
    observer: fed.core,
    clock: systemClock,
    logger: createLogger('silent'),
  });
}

const cluster = clusterSchema.parse({ kafka: { brokers: BROKERS } });

it.each([
  [/principal: "nobody" is no key/, { principal: 'nobody' }],
  [/principal: "reader" may not write/, { principal: 'reader' }],
  [/principal: "signer" must sign/, { principal: 'signer' }],
  [/no mapping map\/none/, { format: 'map/none' }],
  [/no mapping map\/none/, { formatHeader: { name: 'f', formats: ['map/none'] } }],
  [/kafka: .*NONE/, { kafka: { brokers: BROKERS, sasl: { mechanism: 'plain', username: 'a', passwordEnv: 'NONE' } } }],
  [/topics: parallax\.observations/, { topics: ['parallax.observations'] }],
  [/groupId: is that of the workers/, { groupId: cluster.groupId }],
] as const)('refuses to start where settings are wrong, and names them: %s', (message, change) => {
  const begin = () => start(change, { cluster });
  expect(begin).toThrow(ConfigError);
  expect(begin).toThrow(message);
  expect(begin).toThrow(/^sources\.kafka\.0 \("wrong"\)/);
});

it.each([
  ['each its own id', [entry(), entry({ groupId: 'g' })]],
  ['each its own groupId', [entry({ id: 'a', groupId: 'g' }), entry({ id: 'b', groupId: 'g' })]],
  ['use native, cloudevents', [entry({ format: 'otlp_proto' })]],
  ['no name of a topic', [entry({ topics: ['a b'] })]],
])('takes no sources that do not fit: %s', (message, sources) => {
  expect(() => topicSourcesSchema.parse(sources)).toThrow(message);
});

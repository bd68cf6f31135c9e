/**
 * Reads a topic into the log of a directory, and never commits an offset: prints how many records the log has, until it is
 * killed. Started by the topic intake tests.
 *
 * Usage: node topic-intake-process.js DIRECTORY BROKERS TOPIC GROUP
 */
import { writeSync } from 'node:fs';
import { KafkaConnection } from '../../src/kafka/client.js';
import type { KafkaGroup, KafkaGroupOptions } from '../../src/kafka/port.js';
import { openTopicStack } from './topic-stack.js';

const [directory = '', brokers = '', topic = '', groupId = ''] = process.argv.slice(2);

// As it is in the class; it is called on an instance below.
const open: KafkaConnection['openGroup'] = Reflect.get(KafkaConnection.prototype, 'openGroup');
KafkaConnection.prototype.openGroup = function openGroup(options: KafkaGroupOptions): KafkaGroup {
  const group = open.call(this, { ...options, sessionTimeoutMs: 1_500 });
  // The moment between the log's commit and Kafka's, for as long as it takes to be killed in it.
  group.commit = () => new Promise(() => {});
  return group;
};

const kafka = { brokers: brokers.split(',') };
const stack = openTopicStack(directory, [
  { id: 'calls', kafka, topics: [topic], format: 'native', groupId, principal: 'topics' },
]);
setInterval(() => writeSync(1, `${stack.observations().length}\n`), 50);

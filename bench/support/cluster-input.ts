import { randomUUID } from 'node:crypto';
import { partitionOfKey } from '../../src/kafka/partitioner.js';
import type { KafkaClient, KafkaRecord } from '../../src/kafka/port.js';
import { toKafka } from '../../src/kafka/record-codec.js';
import { encodeRecord } from '../../src/log/record-codec.js';
import type { LogRecord } from '../../src/model/log-record.js';
import { agentKey } from '../../src/model/record-key.js';
import type { Observation } from '../../src/model/observation.js';
import type { Principal } from '../../src/model/principal.js';
import { nativeNormalizer } from '../../src/normalize/native.js';
import { SPEAKERS, type Speaker } from '../../src/sources/recorded-session.js';
import type { Group } from './traffic.js';

const TENANT = 'default';
/** Of the keyed hashes in the records; any will do, as long as it is the same for all of them. */
const SEED = 7;
const RECORDS_OF_A_CALL = 1_000;
const CALLS_UNDER_WAY = 8;

/** A part of the traffic as it lies in the topic of observations, without the topic's name. */
export interface Input {
  records: Omit<KafkaRecord, 'topic'>[];
  /** Those among the records that are no content, in order. */
  observations: Observation[];
}

/** The records that intake makes of requests: the service's own functions, without the service. */
export function inputOf(groups: readonly Group[], partitions: number): Input {
  const input: Input = { records: [], observations: [] };
  for (const { batches } of groups) {
    for (const { speaker, body } of batches) {
      for (const line of body.toString('utf8').split('\n')) take(input, speaker, JSON.parse(line), partitions);
    }
  }
  return input;
}

/** One record that makes an invariant break: a prohibited tool is executed. */
export function decisiveRecord(subject: { agentId: string; sessionId: string }, partitions: number): Input {
  const input: Input = { records: [], observations: [] };
  const callId = randomUUID();
  const wire = { stream: 'action', kind: 'tool_call', time: Date.now(), ...subject, callId, id: callId };
  take(input, 'gateway', { ...wire, tool: 'audit.disable', effect: 'auth', decision: 'allow' }, partitions);
  return input;
}

function take(input: Input, speaker: Speaker, wire: unknown, partitions: number): void {
  const context = { principal: principalOf(speaker), observedAt: Date.now(), seed: SEED };
  for (const made of nativeNormalizer.normalize(wire, context)) {
    if (!made.ok) throw new Error(`the traffic is not valid: ${made.reason}`);
    const { observation, payload } = made;
    input.observations.push(observation);
    const records: LogRecord[] = [{ type: 'observation', value: observation }];
    if (payload !== undefined) records.push({ type: 'payload', value: payload });
    const key = Buffer.from(agentKey(observation.tenant, observation.agentId));
    const partition = partitionOfKey(key, partitions);
    for (const record of records) input.records.push({ partition, key, ...toKafka(encodeRecord(record)) });
  }
}

/** Produces records as fast as they are confirmed; those of a partition keep their order. */
export async function produceAll(client: Pick<KafkaClient, 'produce'>, topic: string, input: Input): Promise<void> {
  const { records } = input;
  let underWay: Promise<number>[] = [];
  for (let at = 0; at < records.length; at += RECORDS_OF_A_CALL) {
    underWay.push(client.produce(records.slice(at, at + RECORDS_OF_A_CALL).map((record) => ({ topic, ...record }))));
    if (underWay.length < CALLS_UNDER_WAY) continue;
    await Promise.all(underWay);
    underWay = [];
  }
  await Promise.all(underWay);
}

function principalOf(speaker: Speaker): Principal {
  const { role, stream } = SPEAKERS[speaker];
  return { id: speaker, role, tenant: TENANT, streams: new Set([stream]), agents: ['*'] };
}

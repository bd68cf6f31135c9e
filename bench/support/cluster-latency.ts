import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { topicsOf } from '../../src/kafka/topics.js';
import { decisiveRecord, type Input } from './cluster-input.js';
import { until } from './cluster-side.js';
import type { ClusterWorkers } from './cluster-workers.js';
import { post } from './load.js';
import { startLoad } from './paced-load.js';

export interface ClusterLatencyOptions {
  client: KafkaConnection;
  workers: ClusterWorkers;
  topicPrefix: string;
  partitions: number;
  checks: number;
  decisive: number;
  load: Input;
  /** Observations a second. */
  perSecond: number;
  /** Makes ids that no other measurement has. */
  tag: string;
}

export interface ClusterLatencies {
  /** From the request to the answer, over HTTP, ms. */
  checks: number[];
  /** Of them, those that the deadline answered. */
  timedOut: number;
  /** From produce of a decisive record to its command in the topic that all nodes follow, ms. */
  commands: number[];
}

const CHECK_EVERY_MS = 25;
const DECISIVE_EVERY_MS = 100;
const LONGEST_MS = 20_000;

const lineSchema = z.object({
  effect: z.object({ type: z.string(), value: z.object({ sessionId: z.string().optional() }) }),
});
const answerSchema = z.object({ timedOut: z.boolean() });

/** How long gateways and other nodes wait, while observations come at an even pace. */
export async function clusterLatencies(options: ClusterLatencyOptions): Promise<ClusterLatencies> {
  const { client, topicPrefix, load: input, perSecond } = options;
  const load = startLoad(client, { topic: topicsOf(topicPrefix).observations, input, perSecond });
  await sleep(1_000);
  const { latencies, timedOut } = await checkLatencies(options);
  const commands = await commandLatencies(options);
  await load.stop();
  return { checks: latencies, timedOut, commands };
}

/** Any node is asked, one after the other: with several, most questions are passed on to the owner. */
async function checkLatencies({ workers, checks, tag }: ClusterLatencyOptions) {
  const { nodes } = workers;
  const latencies: number[] = [];
  let timedOut = 0;
  const asked: Promise<void>[] = [];
  for (let n = 0; n < checks; n++) {
    const node = nodes[n % nodes.length];
    if (node === undefined) throw new Error('no nodes');
    const body = {
      time: Date.now(),
      agentId: `mail-agent-${10 * (n % 33)}`,
      sessionId: `checked-${tag}-${n % 50}`,
      callId: `${tag}-${n}`,
      tool: 'send_invoice_7',
      effect: 'write',
      args: { to: 'somebody@partner-3.example.org', body: 'the amount is settled' },
    };
    const sent = performance.now();
    asked.push(
      post(`${node.url}/v1/check`, node.setup.keys.gateway, Buffer.from(JSON.stringify(body)), 'application/json').then(
        (text) => {
          latencies.push(performance.now() - sent);
          if (answerSchema.parse(JSON.parse(text)).timedOut) timedOut++;
          return undefined;
        },
      ),
    );
    await sleep(CHECK_EVERY_MS);
  }
  await Promise.all(asked);
  return { latencies, timedOut };
}

async function commandLatencies({ client, topicPrefix, partitions, decisive, tag }: ClusterLatencyOptions) {
  const topics = topicsOf(topicPrefix);
  const arrivals = new Map<string, (at: number) => void>();
  const group = client.openGroup({
    groupId: `bench-commands-${tag}`,
    topics: [topics.commandEvents],
    assigner: 'everything',
    startOffset: () => 0,
    handlers: {
      assigned: () => {},
      revoked: () => {},
      gap: () => {},
      records: (_topic, _partition, { records }) => {
        const at = performance.now();
        for (const { value } of records) {
          if (value === null) continue;
          const { type, value: told } = lineSchema.parse(JSON.parse(Buffer.from(value).toString())).effect;
          if (type === 'command') arrivals.get(told.sessionId ?? '')?.(at);
        }
      },
      fatal: (error) => {
        throw error;
      },
    },
  });
  await until(async () => group.owned.length === 1, 50);
  const latencies: number[] = [];
  for (let n = 0; n < decisive; n++) {
    const subject = { agentId: `support-agent-${tag}-${n}`, sessionId: `decisive-${tag}-${n}` };
    const arrived = new Promise<number>((resolve) => arrivals.set(subject.sessionId, resolve));
    const { records } = decisiveRecord(subject, partitions);
    const sent = performance.now();
    await client.produce(records.map((record) => ({ topic: topics.observations, ...record })));
    latencies.push((await Promise.race([arrived, sleep(LONGEST_MS, Infinity)])) - sent);
    await sleep(DECISIVE_EVERY_MS);
  }
  await group.stop();
  return latencies;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { lineOf, isTold, type Line } from '../../src/cluster/journal.js';
import { logEntries } from '../../src/cluster/log-entries.js';
import type { Config } from '../../src/config.js';
import type { KafkaConnection } from '../../src/kafka/client.js';
import type { PoisonBatch, ReceivedRecord } from '../../src/kafka/port.js';
import { systemClock } from '../../src/lib/clock.js';
import type { RawRecord } from '../../src/log/port.js';
import type { OutboxEntry } from '../../src/model/effect.js';
import { StoreClient } from '../../src/store/client.js';
import type { TestCluster } from './cluster.js';
import { uniqueName } from './kafka/connect.js';
import { firstDifference } from './same-effects.js';
import { scoreRecords } from './scored-log.js';

const LOOK_MS = 50;

/** Everything that a topic has, by partition. */
export async function readTopic(kafka: KafkaConnection, topic: string): Promise<ReceivedRecord[][]> {
  const goals = await kafka.topicOffsets(topic);
  const found: ReceivedRecord[][] = goals.map(() => []);
  const poison: PoisonBatch[] = [];
  const group = kafka.openGroup({
    groupId: uniqueName('ledger'),
    topics: [topic],
    assigner: 'everything',
    startOffset: () => 0,
    handlers: {
      assigned: () => {},
      revoked: () => {},
      records: (_topic, partition, { records }) => void found[partition]?.push(...records),
      gap: () => {},
      poison: (one) => void poison.push(one),
      fatal: (error) => {
        throw error;
      },
    },
  });
  const isRead = (): boolean => {
    const positions = new Map(group.lag().map(({ partition, position }) => [partition, position]));
    return goals.every(({ partition, low, high }) => low === high || (positions.get(partition) ?? 0) >= high);
  };
  while (!isRead()) await sleep(LOOK_MS);
  await group.stop();
  return found;
}

/** What the journal says for the first time. */
export interface JournalContent {
  /** Partition by partition, in the order of the partition's outbox. */
  told: OutboxEntry[][];
  /** Entries that say again what was said. */
  repeated: number;
  /** Outboxes that there were; more than partitions where a state was lost. */
  outboxes: number;
  /** Ids, sorted. */
  incidents: string[];
  commands: string[];
}

/** What a run left behind, everything by id. */
export interface Ledger extends JournalContent {
  /** Through the views that people and Grafana look at; sorted. */
  stored: { observations: string[]; incidents: string[]; commands: string[] };
  records: RawRecord[][];
  /** Ids of the observations in the log, each once; sorted. */
  logged: string[];
  /** Records of the log that say what was said before. */
  repeatedRecords: number;
}

export async function readJournal({ kafka, prefix, partitions }: TestCluster): Promise<JournalContent> {
  const seen = new Map<string, number>();
  const told: OutboxEntry[][] = Array.from({ length: partitions }, () => []);
  let repeated = 0;
  for (const { value } of (await readTopic(kafka, `${prefix}.command-events`)).flat()) {
    const line: Line | undefined = value === null ? undefined : lineOf(value);
    if (line === undefined) throw new Error('an entry of the journal cannot be read');
    const outbox = `${line.partition}/${line.outbox}`;
    if (line.sequence <= (seen.get(outbox) ?? 0)) repeated++;
    else {
      seen.set(outbox, line.sequence);
      told[line.partition]?.push({ sequence: line.sequence, effect: line.effect });
    }
  }
  const [incidents, commands] = [idsOf(told, 'incident'), idsOf(told, 'command')];
  return { told, repeated, outboxes: seen.size, incidents, commands };
}

/** Reads Kafka and ClickHouse, beside all that is in the nodes' memory. */
export async function readLedger(cluster: TestCluster): Promise<Ledger> {
  const { kafka, prefix, store } = cluster;
  if (store === undefined) throw new Error('the cluster has no store');
  const client = new StoreClient({ url: store.url, database: store.database, ...store.writer });
  const idsIn = async (view: string): Promise<string[]> =>
    (await client.select<{ id: string }>(`SELECT id FROM ${view}`)).map(({ id }) => id).sort();
  const [observations, incidents, commands] = [
    await idsIn('observations_v'),
    await idsIn('incidents_v'),
    await idsIn('commands_v'),
  ];
  await client.close();
  const log = await readTopic(kafka, `${prefix}.observations`);
  const records = await Promise.all(
    log.map(async (one) =>
      (await logEntries(one, { await: async () => {} }, systemClock)).map(({ type, data }) => ({ type, data })),
    ),
  );
  const observationIds = records.flat().flatMap(({ type, data }) => {
    if (type !== 'observation') return [];
    return [(JSON.parse(Buffer.from(data).toString()) as { id: string }).id];
  });
  const logged = [...new Set(observationIds)].sort();
  const repeatedRecords = observationIds.length - logged.length;
  const stored = { observations, incidents, commands };
  return { ...(await readJournal(cluster)), stored, records, logged, repeatedRecords };
}

/**
 * Scores the log of each partition once more in one process, from its beginning and without any fault, and compares what
 * comes out with the journal: entry by entry, all facts, in order.
 *
 * @returns the first difference by partition
 */
export async function differencesToReplay(
  cluster: TestCluster,
  { records, told }: Ledger,
  seed: number,
  config: Config,
): Promise<{ partition: number; at: number; journal: string; replay: string }[]> {
  const found: Awaited<ReturnType<typeof differencesToReplay>> = [];
  for (const [partition, log] of records.entries()) {
    const place = { partition, partitions: cluster.partitions };
    const expected = (await scoreRecords(log, { seed, config, place })).outbox.filter(isTold);
    const difference = firstDifference(told[partition] ?? [], expected);
    if (difference === undefined) continue;
    const { at, actual, expected: wanted } = difference;
    found.push({ partition, at, journal: short(actual), replay: short(wanted) });
  }
  return found;
}

/** What is in one list of ids and not in the other; and what is in the first more than once. */
export function compareIds(
  actual: readonly string[],
  wanted: readonly string[],
): { missing: string[]; extra: string[]; doubled: string[] } {
  const [is, should] = [new Set(actual), new Set(wanted)];
  const count = new Map<string, number>();
  for (const id of actual) count.set(id, (count.get(id) ?? 0) + 1);
  return {
    missing: [...should].filter((id) => !is.has(id)),
    extra: [...is].filter((id) => !should.has(id)),
    doubled: [...count].flatMap(([id, times]) => (times > 1 ? [id] : [])),
  };
}

/** Each id once; the journal says every change of an incident or a command. */
function idsOf(told: readonly OutboxEntry[][], type: 'incident' | 'command'): string[] {
  const ids = new Set<string>();
  for (const { effect } of told.flat()) if (effect.type === type) ids.add(effect.value.id);
  return [...ids].sort();
}

function short(entry: OutboxEntry | undefined): string {
  return JSON.stringify(entry)?.slice(0, 1_500) ?? 'nothing';
}

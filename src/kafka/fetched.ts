import type { KafkaMessage } from 'kafkajs';
import type { FlowItem, PartitionFlow } from './partition-flow.js';
import type { ReceivedRecord } from './port.js';
import type { FetchedMessage } from './record-set.js';

/** What is used of the library's batch. `rawMessages` has also what was filtered out: markers, aborted transactions. */
export interface FetchedBatch {
  topic: string;
  partition: number;
  highWatermark: string;
  messages: KafkaMessage[];
  rawMessages: KafkaMessage[];
}

/** Cost of a record in memory beside its bytes. */
const RECORD_OVERHEAD_BYTES = 200;

/**
 * Puts a fetched batch into its partition's flow: what was seen already is left out, what is missing becomes a gap, what
 * is unreadable becomes poison.
 *
 * @param isCompacted whether missing offsets mean nothing
 */
export function intoFlow(batch: FetchedBatch, flow: PartitionFlow, isCompacted: boolean): void {
  const { topic, partition } = batch;
  const visible = new Set<unknown>(batch.messages);
  flow.highWatermark = Number(batch.highWatermark);
  let records: ReceivedRecord[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (records.length > 0) flow.push({ kind: 'records', records, bytes, highWatermark: flow.highWatermark });
    records = [];
    bytes = 0;
  };
  const put = (item: FlowItem): void => {
    flush();
    flow.push(item);
  };
  // Our own reader made them (kafkajs-mended.ts), so they have what it gives.
  for (const message of batch.rawMessages as unknown as FetchedMessage[]) {
    const offset = Number(message.offset);
    const { next } = flow;
    if (next !== undefined && offset < next) continue;
    const first = message.poison?.offset ?? offset;
    if (next !== undefined && first > next && !isCompacted && !message.isControlRecord) {
      put({ kind: 'gap', gap: { topic, partition, expected: next, found: first } });
    }
    flow.next = offset + 1;
    if (message.poison !== undefined) {
      put({ kind: 'poison', poison: { topic, partition, ...message.poison } });
    } else if (visible.has(message)) {
      const { key, value, headers } = message;
      records.push({ offset, time: Number(message.timestamp), key, value, headers });
      bytes += RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
    }
  }
  flush();
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaClient, ReceivedRecord } from '../kafka/port.js';
import type { Changelog, ChangelogEntry, ChangelogRecord } from '../log/port.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Name of the header with the owner's generation. */
const GENERATION_HEADER = 'g';
const LOOK_MS = 25;
const RETRY_MS = 250;

export interface KafkaChangelogParts {
  client: Pick<KafkaClient, 'produce'>;
  /** Compacted; partition N is of log partition N. */
  topic: string;
  partition: number;
  generation: number;
  /** Whether this process owns the partition now, by Kafka's word. */
  owns: () => boolean;
}

/**
 * The changelog of one partition's scoring state in Kafka. It waits while it is not clear who owns the partition, and
 * tries again while Kafka is away; once the partition is given up it refuses everything.
 */
export class KafkaChangelog implements Changelog {
  readonly generation: number;
  readonly #parts: KafkaChangelogParts;
  readonly #headers: Readonly<Record<string, Uint8Array>>;
  #isOver = false;

  constructor(parts: KafkaChangelogParts) {
    this.#parts = parts;
    this.generation = parts.generation;
    this.#headers = { [GENERATION_HEADER]: encoder.encode(String(parts.generation)) };
  }

  /** Nothing is written any more. */
  giveUp(): void {
    this.#isOver = true;
  }

  async append(entries: readonly ChangelogEntry[]): Promise<number> {
    const { client, topic, partition, owns } = this.#parts;
    const headers = this.#headers;
    const records = entries.map(({ key, value }) => ({ topic, partition, key: encoder.encode(key), value, headers }));
    for (;;) {
      while (!owns()) {
        this.#refuseWhenOver();
        await sleep(LOOK_MS);
      }
      this.#refuseWhenOver();
      try {
        return (await client.produce(records)) + records.length - 1;
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await sleep(RETRY_MS);
    }
  }

  #refuseWhenOver(): void {
    const { topic, partition } = this.#parts;
    if (this.#isOver) throw new Error(`${topic}/${partition}: another process owns the partition now`);
  }
}

/** An entry as it was read back; undefined for a record that no owner wrote. */
export function changelogRecord({ key, value, offset, headers }: ReceivedRecord): ChangelogRecord | undefined {
  const header = headers[GENERATION_HEADER];
  const generation = header === undefined ? Number.NaN : Number(decoder.decode(header));
  if (key === null || !Number.isSafeInteger(generation)) return undefined;
  return { key: decoder.decode(key), value, generation, offset };
}

function isPassing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'KAFKA_UNAVAILABLE' || code === 'KAFKA_BUSY';
}

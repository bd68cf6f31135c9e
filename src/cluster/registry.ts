import type { KafkaClient, ReceivedRecord } from '../kafka/port.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface RegistryOptions {
  client: Pick<KafkaClient, 'produce'>;
  /** Compacted, one partition. */
  topic: string;
  /** Told of every change, after it counts. */
  changed?: (key: string) => void;
}

/**
 * Small facts that all nodes share, by key, in the order in which Kafka took them: who owns a partition, public keys,
 * epochs, and how far the node that tells people has come. Every node reads the whole topic; what was written counts
 * once it is read back, so that all nodes see the same order.
 */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #facts = new Map<string, { value: unknown; offset: number }>();
  #position = 0;
  #waiting: { offset: number; resolve: () => void }[] = [];

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Offset of the next record to read. */
  get position(): number {
    return this.#position;
  }

  /** Takes in records of the topic, in order. One that cannot be read changes nothing. */
  take(records: readonly ReceivedRecord[]): void {
    for (const { key, value, offset } of records) {
      // After a break reading may begin a little before.
      if (offset < this.#position) continue;
      this.#position = offset + 1;
      const name = key === null ? '' : decoder.decode(key);
      const fact = value === null ? undefined : parse(value);
      if (value === null) this.#facts.delete(name);
      else if (fact !== undefined) this.#facts.set(name, { value: fact, offset });
      this.#options.changed?.(name);
    }
    const due = this.#waiting.filter(({ offset }) => offset < this.#position);
    this.#waiting = this.#waiting.filter(({ offset }) => offset >= this.#position);
    for (const { resolve } of due) resolve();
  }

  /** What is known under a key. */
  get(key: string): unknown {
    return this.#facts.get(key)?.value;
  }

  /** All facts whose key begins so, with the offsets at which they were written. */
  *entries(prefix: string): Generator<{ key: string; value: unknown; offset: number }> {
    for (const [key, fact] of this.#facts) if (key.startsWith(prefix)) yield { key, ...fact };
  }

  /**
   * Writes facts, all or none; undefined forgets one. Resolves when this node has read them back.
   *
   * @returns offset of the first
   * @throws as KafkaClient.produce
   */
  async put(facts: readonly { key: string; value: unknown }[]): Promise<number> {
    const { client, topic } = this.#options;
    const first = await client.produce(
      facts.map(({ key, value }) => ({
        topic,
        partition: 0,
        key: encoder.encode(key),
        value: value === undefined ? null : encoder.encode(JSON.stringify(value)),
      })),
    );
    const last = first + facts.length - 1;
    if (this.#position <= last) await new Promise<void>((resolve) => this.#waiting.push({ offset: last, resolve }));
    return first;
  }
}

function parse(value: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(value));
  } catch {
    return undefined;
  }
}

import { z } from 'zod';
import type { ReceivedRecord } from '../kafka/port.js';
import { ACTED_ON, type Effect, type OutboxEntry } from '../model/effect.js';

const decoder = new TextDecoder();

const lineSchema = z.object({
  partition: z.int().min(0),
  outbox: z.string(),
  sequence: z.int().positive(),
  effect: z.object({ type: z.enum([...ACTED_ON]), value: z.looseObject({}) }),
});

/** Whether an effect goes into the journal; the rest goes from each partition's outbox to ClickHouse alone. */
export function isTold({ effect }: OutboxEntry): boolean {
  return ACTED_ON.has(effect.type);
}

/** An effect as it stands in the journal. */
export interface Line {
  /** Of the log that it comes from. */
  partition: number;
  /** Which outbox: a partition whose state is lost for good begins another one, whose sequences begin anew. */
  outbox: string;
  sequence: number;
  effect: Effect;
}

/**
 * Reads the journal: what left the outboxes of all partitions, in one order that is the same on every node. An entry's
 * sequence is its place in the topic, so a reader may go on at another node. What a new owner of a partition gives out
 * again has the same place in the partition's outbox as the first time, and is passed over.
 */
export class JournalReader {
  /** Newest sequence by outbox; as many as there are partitions. */
  readonly #seen = new Map<string, number>();
  #position = 0;
  #repeated = 0;
  #damaged = 0;

  /** Offset of the next record to read: the sequence of the last one read. */
  get position(): number {
    return this.#position;
  }

  stats(): { position: number; repeated: number; damaged: number } {
    return { position: this.#position, repeated: this.#repeated, damaged: this.#damaged };
  }

  /** @returns the entries that are new, in order */
  take(records: readonly ReceivedRecord[]): OutboxEntry[] {
    const entries: OutboxEntry[] = [];
    for (const { offset, value } of records) {
      this.#position = offset + 1;
      const line = value === null ? undefined : lineOf(value);
      if (line === undefined) {
        this.#damaged++;
        continue;
      }
      const outbox = `${line.partition}/${line.outbox}`;
      if (line.sequence <= (this.#seen.get(outbox) ?? 0)) {
        this.#repeated++;
        continue;
      }
      this.#seen.set(outbox, line.sequence);
      entries.push({ sequence: offset + 1, effect: line.effect });
    }
    return entries;
  }
}

/** An entry of the journal; undefined for bytes that are none. */
export function lineOf(value: Uint8Array): Line | undefined {
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(value));
  } catch {
    return undefined;
  }
  const line = lineSchema.safeParse(json);
  if (!line.success) return undefined;
  // Only the publisher writes the topic, and it was given an Effect; who else may write there may also command.
  return line.data as unknown as Line;
}

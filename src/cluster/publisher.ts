import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaClient, KafkaRecord } from '../kafka/port.js';
import type { ScoringStore } from '../log/port.js';
import { isUnrestricted } from '../model/command.js';
import type { OutboxEntry } from '../model/effect.js';
import { isTold, type Line } from './journal.js';

const encoder = new TextEncoder();
const CURSOR = 'published';
/** Under this key of the scoring store lies which outbox it is. */
const OUTBOX_KEY = 'published/outbox';
const READ_SLICE = 500;
const FENCED_LOOK_MS = 50;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 5_000;

/** Topics for those who want to know what was decided. */
export interface TellingTopics {
  commandEvents: string;
  commands: string;
  incidents: string;
}

export interface PublisherOptions {
  client: Pick<KafkaClient, 'produce'>;
  topics: TellingTopics;
  partition: number;
  store: Pick<ScoringStore, 'get' | 'outbox' | 'outboxHead' | 'waitForOutbox' | 'cursor' | 'setCursor'>;
  /** Whether this process may speak for the partition just now. */
  mayWrite: () => boolean;
  onNotice: (level: 'info' | 'warn', message: string) => void;
}

/**
 * Gives a partition's effects to all others, in order: the journal, and beside it the state by agent and by incident for
 * newcomers. At least once; what is given out twice has the same place in the outbox.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #cursor: number;
  #retries = 0;
  #lastError: string | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#cursor = options.store.cursor(CURSOR);
  }

  /** Effects up to this sequence of the outbox are out. */
  get cursor(): number {
    return this.#cursor;
  }

  status(): { cursor: number; backlog: number; retries: number; lastError?: string } {
    const backlog = Math.max(0, this.#options.store.outboxHead - this.#cursor);
    const retries = this.#retries;
    return { cursor: this.#cursor, backlog, retries, ...(this.#lastError && { lastError: this.#lastError }) };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends after what is on its way; the rest follows from the same place, here or elsewhere. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { store, mayWrite, onNotice } = this.#options;
    const { signal } = this.#stop;
    let pauseMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      await store.waitForOutbox(this.#cursor, signal).catch(() => {});
      if (signal.aborted) return;
      // A fence may be lifted again without the partition changing hands, as after a while without the coordinator.
      if (!mayWrite()) {
        await sleep(FENCED_LOOK_MS, undefined, { signal }).catch(() => {});
        continue;
      }
      try {
        await this.#publishSome();
        pauseMs = RETRY_MIN_MS;
        this.#lastError = undefined;
      } catch (error) {
        this.#retries++;
        if (this.#lastError === undefined) onNotice('warn', `what was decided cannot be published: ${String(error)}`);
        this.#lastError = String(error);
        await sleep(pauseMs, undefined, { signal }).catch(() => {});
        pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS);
      }
    }
  }

  async #publishSome(): Promise<void> {
    const { store } = this.#options;
    const entries = store.outbox(this.#cursor, READ_SLICE);
    const last = entries.at(-1)?.sequence;
    if (last === undefined) return;
    const told = entries.filter(isTold);
    if (told.length > 0) await this.#publish(told);
    this.#cursor = last;
    await store.setCursor(CURSOR, last);
  }

  async #publish(entries: readonly OutboxEntry[]): Promise<void> {
    const { client, topics, partition } = this.#options;
    const outbox = await this.#outboxId();
    // The state first: a newcomer that reads it, and then the journal from its beginning, ends with what is true.
    const state = stateOf(entries, topics);
    if (state.length > 0) await client.produce(state);
    await client.produce(
      entries.map(({ sequence, effect }) => {
        const line: Line = { partition, outbox, sequence, effect };
        const key = encoder.encode(`${partition}`);
        return { topic: topics.commandEvents, partition: 0, key, value: encoder.encode(JSON.stringify(line)) };
      }),
    );
  }

  /** Which outbox this is; durable before it is first used. */
  async #outboxId(): Promise<string> {
    const { store } = this.#options;
    const known = store.get(OUTBOX_KEY);
    if (known !== undefined) return new TextDecoder().decode(known);
    const id = randomUUID();
    const puts = [{ key: OUTBOX_KEY, value: encoder.encode(id) }];
    await store.setCursor(CURSOR, this.#cursor, { puts, deletes: [] });
    return id;
  }
}

/** The newest state of every agent and incident among the entries; an agent without restrictions is forgotten. */
function stateOf(entries: readonly OutboxEntry[], { commands, incidents }: TellingTopics): KafkaRecord[] {
  const records = new Map<string, KafkaRecord>();
  const put = (topic: string, name: string, value: unknown): void => {
    const key = encoder.encode(name);
    const bytes = value === undefined ? null : encoder.encode(JSON.stringify(value));
    records.set(`${topic}/${name}`, { topic, partition: 0, key, value: bytes });
  };
  for (const { effect } of entries) {
    if (effect.type === 'incident') put(incidents, `${effect.value.tenant}\0${effect.value.id}`, effect.value);
    if (effect.type !== 'restriction') continue;
    const { tenant, agentId } = effect.value;
    put(commands, `${tenant}\0${agentId}`, isUnrestricted(effect.value) ? undefined : effect.value);
  }
  return [...records.values()];
}

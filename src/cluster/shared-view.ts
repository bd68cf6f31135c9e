import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaClient, KafkaGroup, ReceivedRecord } from '../kafka/port.js';
import type { Restriction } from '../model/command.js';
import type { OutboxEntry } from '../model/effect.js';
import type { Incident } from '../model/incident.js';
import { JournalReader } from './journal.js';
import { offsetsOf } from './offsets.js';
import type { Registry } from './registry.js';

const decoder = new TextDecoder();
const LOOK_MS = 25;

export interface SharedViewTopics {
  nodes: string;
  commandEvents: string;
  commands: string;
  incidents: string;
}

export interface SharedViewParts {
  client: KafkaClient;
  topics: SharedViewTopics;
  /** Differs from every other run of every other node: each reads everything. */
  groupId: string;
  sessionTimeoutMs: number;
  registry: Registry;
  /** New effects, and the place up to which the journal was read; in order. */
  told: (entries: readonly OutboxEntry[], position: number) => void;
  notice: (message: string, facts: Record<string, unknown>) => void;
  failed: (error: Error) => void;
}

/** What is in force by the compacted topics, for what the journal has forgotten. */
export interface StateAtStart {
  incidents: Incident[];
  restrictions: Restriction[];
}

/** Reads on every node what all nodes share: the registry, the journal, and at the start the state beside it. */
export class SharedView {
  /** Not all topics there are: the log and its state belong to the workers. */
  readonly #topics: readonly string[];
  readonly #parts: SharedViewParts;
  readonly #group: KafkaGroup;
  readonly #journal = new JournalReader();
  readonly #incidents = new Map<string, Incident>();
  readonly #restrictions = new Map<string, Restriction>();
  #isAtStart = true;
  #unread = 0;
  #isStopped = false;

  constructor(parts: SharedViewParts) {
    this.#parts = parts;
    const { client, topics, groupId, sessionTimeoutMs, failed } = parts;
    this.#topics = [topics.nodes, topics.commandEvents, topics.commands, topics.incidents];
    this.#group = client.openGroup({
      groupId,
      topics: this.#topics,
      assigner: 'everything',
      compacted: [topics.nodes, topics.commands, topics.incidents],
      startOffset: (topic) => this.#next(topic),
      sessionTimeoutMs,
      handlers: {
        assigned: () => {},
        // Nobody else reads in this group: after a break it goes on where it was.
        revoked: () => {},
        records: (topic, _partition, { records }) => this.#take(topic, records),
        gap: (gap) => parts.notice('records that all nodes share are gone before they were read', { ...gap }),
        poison: (poison) => {
          this.#unread++;
          parts.notice('records that all nodes share cannot be read', { ...poison });
        },
        fatal: failed,
      },
    });
  }

  status(): Record<string, unknown> {
    return { journal: this.#journal.stats(), registry: this.#parts.registry.position, unreadable: this.#unread };
  }

  /** Resolves when all that was there at the call has been read. */
  async caughtUp(): Promise<StateAtStart & { position: number }> {
    const { client } = this.#parts;
    const goals = new Map<string, number>();
    for (const topic of this.#topics) {
      const only = await offsetsOf(client, topic, 0, () => this.#isStopped);
      if (only !== undefined && only.high > only.low) goals.set(topic, only.high);
    }
    while (goals.size > 0 && !this.#isStopped) {
      for (const { topic, position } of this.#group.lag()) if (position >= (goals.get(topic) ?? 0)) goals.delete(topic);
      if (goals.size > 0) await sleep(LOOK_MS);
    }
    this.#isAtStart = false;
    return {
      incidents: [...this.#incidents.values()],
      restrictions: [...this.#restrictions.values()],
      position: this.#journal.position,
    };
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#group.stop();
  }

  #next(topic: string): number {
    const { topics, registry } = this.#parts;
    if (topic === topics.nodes) return registry.position;
    return topic === topics.commandEvents ? this.#journal.position : 0;
  }

  #take(topic: string, records: readonly ReceivedRecord[]): void {
    const { topics, registry, told } = this.#parts;
    if (topic === topics.nodes) return registry.take(records);
    if (topic === topics.commandEvents) return told(this.#journal.take(records), this.#journal.position);
    // From here on the journal says it all.
    if (!this.#isAtStart) return;
    for (const record of records) {
      if (topic === topics.incidents) keep(this.#incidents, record);
      else keep(this.#restrictions, record);
    }
  }
}

function keep<T>(into: Map<string, T>, { key, value }: ReceivedRecord): void {
  if (key === null) return;
  const name = decoder.decode(key);
  if (value === null) {
    into.delete(name);
    return;
  }
  try {
    // Only the publisher writes these topics, and it was given exactly this.
    into.set(name, JSON.parse(decoder.decode(value)) as T);
  } catch {
    // What cannot be read says nothing.
  }
}

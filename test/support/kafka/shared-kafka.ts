import { inject } from 'vitest';
import type { KafkaConnection } from '../../../src/kafka/client.js';
import type { KafkaGroup, KafkaGroupHandlers, KafkaGroupOptions, ReceivedRecord } from '../../../src/kafka/port.js';
import { uniqueName } from './connect.js';
import type { SharedKafkaAnswer } from './global-setup.js';

export { connectTo, makeTopic, uniqueName } from './connect.js';

/**
 * The broker that all test files share; ask at the top of a file, and skip where `missing` says why there is none:
 * `describe.skipIf(kafka.missing !== undefined)`.
 */
export async function sharedKafka(): Promise<SharedKafkaAnswer> {
  const response = await fetch(inject('kafkaDesk'));
  // Only global-setup.ts answers there.
  return (await response.json()) as SharedKafkaAnswer;
}

/** Everything that a group told, as it came. */
export class Told {
  readonly records: (ReceivedRecord & { topic: string; partition: number })[] = [];
  readonly assigned: { generation: number; partitions: string[] }[] = [];
  readonly revoked: string[] = [];
  readonly gaps: object[] = [];
  readonly poison: Parameters<NonNullable<KafkaGroupHandlers['poison']>>[0][] = [];
  readonly fatal: Error[] = [];

  /** Handlers that keep what they are told. */
  handlers(own: Partial<KafkaGroupHandlers> = {}): KafkaGroupHandlers {
    const name = ({ topic, partition }: { topic: string; partition: number }): string => `${topic}/${partition}`;
    return {
      assigned: (generation, partitions) => {
        this.assigned.push({ generation, partitions: partitions.map(name).sort() });
      },
      revoked: (partitions) => {
        this.revoked.push(...partitions.map(name));
      },
      records: (topic, partition, { records }) => {
        this.records.push(...records.map((record) => ({ ...record, topic, partition })));
      },
      gap: (gap) => {
        this.gaps.push(gap);
      },
      poison: (poison) => {
        this.poison.push(poison);
      },
      fatal: (error) => {
        this.fatal.push(error);
      },
      ...own,
    };
  }

  get values(): string[] {
    return this.records.map(({ value }) => (value === null ? 'null' : Buffer.from(value).toString()));
  }
}

/** Joins a group of its own and keeps what it is told. */
export function follow(
  kafka: KafkaConnection,
  topics: readonly string[],
  {
    handlers,
    ...options
  }: Partial<Omit<KafkaGroupOptions, 'handlers'>> & { handlers?: Partial<KafkaGroupHandlers> } = {},
): { told: Told; group: KafkaGroup } {
  const told = new Told();
  const group = kafka.openGroup({
    groupId: uniqueName('group'),
    topics,
    assigner: 'colocated',
    startOffset: () => 0,
    sessionTimeoutMs: 6_000,
    ...options,
    handlers: told.handlers(handlers),
  });
  return { told, group };
}

import { createServer } from 'node:http';
import { once } from 'node:events';
import type { TestProject } from 'vitest/node';
import type { KafkaCluster } from './broker.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Asks the process that runs all tests for the broker they share. */
    kafkaDesk: string;
  }
}

/** What a test file is told: where the broker is, or why there is none. */
export interface SharedKafkaAnswer {
  brokers: string[];
  missing?: string;
}

interface Desk {
  url: string;
  /** Projects of this run that have files. */
  users: number;
  close: () => Promise<void>;
}

/** Vitest loads this file anew for each of its projects; they share one desk. */
const shared = globalThis as typeof globalThis & { parallaxKafkaDesk?: Promise<Desk> };

/**
 * One broker for all test files of a run, started when the first of them asks: KAFKA_BROKERS, or one of our own where
 * Java and Maven are. Files that ask for none pay nothing.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.parallaxKafkaDesk ??= openDesk();
  const desk = await shared.parallaxKafkaDesk;
  desk.users += 1;
  project.provide('kafkaDesk', desk.url);
  return async () => {
    desk.users -= 1;
    if (desk.users > 0) return;
    delete shared.parallaxKafkaDesk;
    await desk.close();
  };
}

async function openDesk(): Promise<Desk> {
  let cluster: KafkaCluster | undefined;
  const start = async (): Promise<SharedKafkaAnswer> => {
    const named = process.env['KAFKA_BROKERS'];
    if (named !== undefined && named !== '') return { brokers: named.split(',') };
    const [{ whyNoBroker }, { startKafka }] = await Promise.all([import('./jars.js'), import('./broker.js')]);
    let missing = whyNoBroker();
    if (missing === undefined) {
      try {
        cluster = await startKafka();
        return { brokers: cluster.addresses };
      } catch (error) {
        missing = `the Kafka broker did not start: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
    console.warn(`Tests over Kafka are skipped: ${missing}`);
    return { brokers: [], missing };
  };
  let answer: Promise<SharedKafkaAnswer> | undefined;
  const server = createServer((_request, response) => {
    answer ??= start();
    void answer.then((found) => response.end(JSON.stringify(found)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  server.unref();
  return {
    url: `http://127.0.0.1:${address.port}/`,
    users: 0,
    close: async () => {
      server.close();
      await answer;
      await cluster?.stop();
    },
  };
}

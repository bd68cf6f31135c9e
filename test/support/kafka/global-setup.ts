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

/**
 * One broker for all test files of a run, started when the first of them asks: KAFKA_BROKERS, or one of our own where
 * Java and Maven are. Files that ask for none pay nothing.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
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
  const desk = createServer((_request, response) => {
    answer ??= start();
    void answer.then((found) => response.end(JSON.stringify(found)));
  });
  desk.listen(0, '127.0.0.1');
  await once(desk, 'listening');
  const address = desk.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  desk.unref();
  project.provide('kafkaDesk', `http://127.0.0.1:${address.port}/`);
  return async () => {
    desk.close();
    await answer;
    await cluster?.stop();
  };
}

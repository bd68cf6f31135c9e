import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaClient } from '../../src/kafka/port.js';
import type { Input } from './cluster-input.js';

const STEP_MS = 20;

/** What comes anyway while latencies are taken. */
export interface Load {
  stop(): Promise<void>;
}

/**
 * Produces an input at an even pace; it has to be long enough.
 *
 * @param perSecond observations a second, with the content that belongs to them; 0 for none
 */
export function startLoad(
  client: Pick<KafkaClient, 'produce'>,
  { topic, input, perSecond }: { topic: string; input: Input; perSecond: number },
): Load {
  const { records, observations } = input;
  const recordsPerMs = (perSecond * records.length) / observations.length / 1000;
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    if (perSecond === 0) return;
    const begun = performance.now();
    const underWay = new Set<Promise<unknown>>();
    let at = 0;
    while (!stopping.signal.aborted) {
      const due = Math.floor(recordsPerMs * (performance.now() - begun));
      if (due > records.length) throw new Error('the input is too short for so long a load');
      if (due > at) {
        const call = client.produce(records.slice(at, due).map((record) => ({ topic, ...record })));
        underWay.add(call);
        void call.finally(() => underWay.delete(call)).catch(() => {});
        at = due;
      }
      await sleep(STEP_MS);
    }
    await Promise.all(underWay);
  };
  const running = run();
  // Looked at in `stop`.
  running.catch(() => {});
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}

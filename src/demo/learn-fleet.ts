import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { KeyName, ObserverClient } from '../sources/port.js';
import { feed } from './feeder.js';
import { clean } from './narrator.js';
import type { DemoParts } from './parts.js';
import type { Happening } from './rhythm.js';

const storeSchema = z.union([
  z.object({ storedRows: z.number() }),
  z.object({ state: z.string(), lastError: z.string().default('it does not answer') }),
]);

/** One sentence about the store: what is in it, or why it is not there. */
export async function storeNote(client: ObserverClient, key: string): Promise<string> {
  const { storing } = z.object({ storing: storeSchema }).parse(await client.status(key));
  if ('storedRows' in storing) return `ClickHouse holds ${storing.storedRows} rows of all this by now.`;
  return `ClickHouse is not available (${clean(storing.lastError, 200)}). Watching and stopping do not need it, but nothing is stored.`;
}

const statusSchema = z.object({
  promise: z.string().default(''),
  falseAlarmBudget: z.number(),
  scoring: z.object({ sessionsLearned: z.number() }),
});

/** How far learning is. */
export interface Learned {
  sessions: number;
  /** One sentence of the observer: which false-alarm budget the history supports. */
  promise: string;
  /** Share of clean sessions that may alarm. */
  budget: number;
}

const SCORED_LIMIT_MS = 5 * 60_000;

/**
 * Has the observer learn what is normal from the days before, as an operator does with an import: the traffic is
 * vouched for while it comes, then thresholds are computed, then learning goes on by itself.
 */
export async function learnFleet(
  {
    client,
    keys,
    parts,
    signal,
  }: { client: ObserverClient; keys: Record<KeyName, string>; parts: DemoParts; signal: AbortSignal },
  history: readonly (readonly Happening[])[],
  onProgress: (learned: Learned) => void,
): Promise<Learned> {
  const learned = async (): Promise<Learned> => {
    const { promise, scoring, falseAlarmBudget: budget } = statusSchema.parse(await client.status(keys.admin));
    return { sessions: scoring.sessionsLearned, promise, budget };
  };
  const settled = () =>
    parts.waitUntilScored(client, {
      key: keys.admin,
      limitMs: SCORED_LIMIT_MS,
      sleep: (ms) => sleep(ms),
      elapsedMs: () => performance.now(),
    });
  await client.setLearning('vouched', keys.admin);
  for (const shift of history) {
    if (signal.aborted) throw new Error('the demo was stopped');
    await feed(client, keys, shift);
    onProgress(await learned());
  }
  await settled();
  await client.calibrate(keys.admin);
  await client.setLearning('on', keys.admin);
  await settled();
  return learned();
}

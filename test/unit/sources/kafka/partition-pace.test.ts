import { beforeEach, expect, it } from 'vitest';
import { PartitionPace } from '../../../../src/sources/kafka/partition-pace.js';

let now = 0;
let pace: PartitionPace;
const never = new AbortController().signal;
beforeEach(() => {
  now = 0;
  pace = new PartitionPace({ maxAheadMs: 5_000, maxHoldMs: 10_000, now: () => now });
});

/** Asks for a turn; `had` says whether it came. */
function turn(key: string, time: number, signal = never): { had: boolean; done: Promise<void> } {
  const asked = { had: false, done: Promise.resolve() };
  const wait = async (): Promise<void> => {
    await pace.turn(key, time, signal);
    asked.had = true;
  };
  asked.done = wait();
  return asked;
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

it('lets one go on alone, and holds it back from one with a backlog that stands further back', async () => {
  pace.begin('a', true);
  await pace.turn('a', 1_000_000, never);
  pace.done('a', 1_000_000, true);
  pace.begin('b', true);
  const ahead = turn('a', 1_010_000);
  await settle();
  expect(ahead.had).toBe(false);
  await pace.turn('b', 1_001_000, never);
  await settle();
  expect(ahead.had).toBe(false);
  await pace.turn('b', 1_006_000, never);
  await ahead.done;
});

it('waits for nobody who has caught up, or was given to others', async () => {
  for (const key of ['a', 'b', 'c']) pace.begin(key, true);
  for (const key of ['b', 'c']) void turn(key, 1_000);
  const ahead = turn('a', 1_000_000);
  pace.done('b', 2_000, false);
  await settle();
  expect(ahead.had).toBe(false);
  pace.end('c');
  await ahead.done;
});

it('gives up on one that comes forward no faster than time itself, until it has caught up', async () => {
  pace.begin('a', true);
  pace.begin('b', true);
  // It waits too: nobody knows yet where the other stands.
  const first = turn('b', 1_000);
  await settle();
  expect(first.had).toBe(false);
  now = 9_999;
  const ahead = turn('a', 1_000_000);
  await settle();
  expect(ahead.had).toBe(false);
  now = 10_000;
  pace.done('b', 9_000, true);
  await ahead.done;
  // Only a backlog that comes anew counts again.
  pace.done('b', 9_500, true);
  await pace.turn('a', 2_000_000, never);
  pace.done('b', 2_000_000, false);
  pace.done('b', 2_000_000, true);
  const again = turn('a', 3_000_000);
  await settle();
  expect(again.had).toBe(false);
  pace.end('b');
  await again.done;
});

it('goes on waiting for one that comes forward fast', async () => {
  pace.begin('a', true);
  pace.begin('b', true);
  // It waits too: nobody knows yet where the other stands.
  const first = turn('b', 1_000);
  await settle();
  expect(first.had).toBe(false);
  const ahead = turn('a', 10_000_000);
  for (let i = 1; i <= 5; i++) {
    now += 10_000;
    pace.done('b', 1_000 + i * 100_000, true);
    await settle();
    expect(ahead.had).toBe(false);
  }
  pace.end('b');
  await ahead.done;
});

it('stops waiting when it is told to', async () => {
  pace.begin('a', true);
  pace.begin('b', true);
  const stop = new AbortController();
  const ahead = turn('a', 1_000, stop.signal);
  await settle();
  expect(ahead.had).toBe(false);
  stop.abort();
  await ahead.done;
});

/**
 * Appends as fast as it can and prints what was acknowledged, until it is killed. Started by the torn process tests.
 *
 * Usage: node log-writer-process.js DIRECTORY log|scoring
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedLog } from '../../src/log/embedded-log.js';
import { EmbeddedScoringStore } from '../../src/log/embedded-scoring-store.js';
import type { Effect } from '../../src/model/effect.js';
import { sampleEffectCount, sampleRecord } from './log-record-sample.js';

const IN_FLIGHT = 32;

const [directory = '', mode = ''] = process.argv.slice(2);
const environment = EmbeddedEnvironment.open({ directory, clock: systemClock, reserveBytes: 0 });

/** Straight to the descriptor: what was printed must not be lost in a buffer when the process is killed. */
function acknowledge(position: number): void {
  writeSync(1, `${position}\n`);
}

async function appendForever(): Promise<void> {
  // Small segments, so that one append often spans several of them in one transaction.
  const log = new EmbeddedLog(environment, { segmentBytes: 8192 });
  let next = log.head + 1;
  const lane = async (): Promise<void> => {
    for (let turn = 0; ; turn++) {
      const count = turn % 10 === 0 ? 200 : 1 + (turn % 5);
      const expected = next;
      next += count;
      const records = Array.from({ length: count }, (_, index) => sampleRecord(expected + index));
      const first = await log.append(records);
      if (first !== expected) throw new Error(`appended at ${first} instead of ${expected}`);
      acknowledge(first + count - 1);
      if (turn % 50 === 0) await log.truncateBefore(Math.max(log.tail, log.head - 20_000));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

async function commitForever(): Promise<void> {
  const store = new EmbeddedScoringStore(environment);
  let next = store.nextPosition;
  const lane = async (): Promise<void> => {
    for (;;) {
      next++;
      const nextPosition = next;
      const effects = Array.from({ length: sampleEffectCount(nextPosition) }, (_, index) =>
        effect(nextPosition, index),
      );
      await store.commit({
        nextPosition,
        puts: [
          { key: 'state/position', value: Buffer.from(String(nextPosition)) },
          { key: `state/${nextPosition}`, value: Buffer.alloc(3000, String(nextPosition)) },
        ],
        deletes: [`state/${nextPosition - 10}`],
        effects,
      });
      acknowledge(nextPosition);
    }
  };
  await Promise.all(Array.from({ length: 4 }, lane));
}

function effect(nextPosition: number, index: number): Effect {
  return {
    type: 'command-event',
    value: {
      id: `${nextPosition}-${index}`,
      commandId: 'command',
      tenant: 'tenant',
      agentId: 'agent',
      time: nextPosition,
      state: 'proposed',
      by: 'test',
      detail: '',
    },
  };
}

await (mode === 'log' ? appendForever() : commitForever());

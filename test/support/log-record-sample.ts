import type { RawRecord } from '../../src/log/port.js';

/** The record that must lie at `position`: its bytes and length follow from the position alone. */
export function sampleRecord(position: number): RawRecord {
  const length = 20 + ((position * 2_654_435_761) % 1500);
  return { type: position % 3 === 0 ? 'payload' : 'observation', data: Buffer.alloc(length, `${position};`) };
}

/** The marker that state, outbox and position share in one commit of the scoring store. */
export function sampleEffectCount(nextPosition: number): number {
  return nextPosition % 4;
}

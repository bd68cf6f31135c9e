import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import { writeBlock } from '../../../src/store/block-writer.js';
import { StoreError } from '../../../src/store/client.js';
import type { Row } from '../../../src/store/row.js';
import { MemoryInserter } from '../../support/memory-feed.js';

const rows: Row[] = Array.from({ length: 9 }, (_, i) => ({
  table: 'observations',
  place: i + 1,
  lead: `"position":${i + 1},"partition":0`,
  json: Buffer.from(JSON.stringify({ id: `o${i + 1}`, tenant: 't', principalId: 'p', observedAt: 7 })),
}));
const clock = new ManualClock(99);

describe('writeBlock', () => {
  it('sends one block with one token', async () => {
    const inserter = new MemoryInserter();
    expect(await writeBlock({ inserter, partition: 0, clock }, rows)).toEqual({ stored: 9, refused: 0, unstorable: 0 });
    expect(inserter.blocks.length).toBe(1);
  });

  it('buries the refused rows alone, with cause and owner, and stores the rest in order', async () => {
    const inserter = new MemoryInserter();
    inserter.refuses = (line) => line.includes('"o3"') || line.includes('"o8"');
    const counts = await writeBlock({ inserter, partition: 0, clock }, rows);
    expect(counts).toEqual({ stored: 7, refused: 2, unstorable: 0 });
    const stored = inserter.lines('observations').map((line): unknown => JSON.parse(line));
    expect(stored.map((row) => Reflect.get(Object(row), 'id'))).toEqual(['o1', 'o2', 'o4', 'o5', 'o6', 'o7', 'o9']);
    const letters = inserter.lines('dead_letters').map((line): unknown => JSON.parse(line));
    expect(letters).toMatchObject([
      { position: 3, tenant: 't', principalId: 'p', time: 7, reason: 'refused by the store (observations): bad row' },
      { position: 8 },
    ]);
  });

  it('uses the same tokens in every try', async () => {
    const inserter = new MemoryInserter();
    inserter.refuses = (line) => line.includes('"o3"');
    await writeBlock({ inserter, partition: 0, clock }, rows);
    const before = inserter.blocks.map((block) => block.token);
    await writeBlock({ inserter, partition: 0, clock: new ManualClock(12_345) }, rows);
    expect(inserter.blocks.map((block) => block.token)).toEqual(before);
  });

  it('hands on what is not the rows fault', async () => {
    const inserter = new MemoryInserter();
    inserter.failures = [new StoreError('away', 'transient', 0)];
    await expect(writeBlock({ inserter, partition: 0, clock }, rows)).rejects.toThrow('away');
    expect(inserter.blocks).toEqual([]);
  });

  it('buries a row that is no JSON at all, and one with half characters', async () => {
    const inserter = new MemoryInserter();
    inserter.refuses = () => true;
    const broken = { table: 'observations', place: 1, lead: '"position":1', json: Buffer.from('{"tenant":"\u0001x') };
    const half = { ...broken, place: 2, json: Buffer.from('{"tenant":"\\ud800\\u0007"}') };
    expect((await writeBlock({ inserter, partition: 0, clock }, [broken, half])).refused).toBe(2);
    const letters = inserter.lines('dead_letters').map((line): unknown => JSON.parse(line));
    expect(letters).toMatchObject([{ tenant: '', time: 99, excerpt: '{"tenant":" x' }, { tenant: '\ufffd ' }]);
  });
});

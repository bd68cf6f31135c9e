import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import { decodeRecord } from '../../../src/log/record-codec.js';
import type { RawRecord } from '../../../src/log/port.js';
import type { LogRecord } from '../../../src/model/log-record.js';
import type { Principal } from '../../../src/model/principal.js';
import { LoggingIntake } from '../../../src/normalize/intake.js';
import { litellmNormalizer } from '../../../src/normalize/litellm.js';
import { nativeNormalizer } from '../../../src/normalize/native.js';

const SPEAKER: Principal = { id: 'topic', role: 'ingest', tenant: 't', streams: new Set(['reasoning']), agents: ['*'] };
const RECORD = { stream: 'reasoning', kind: 'prompt', time: 1_764_000_000_000, agentId: 'a', text: 'Pay' };
const place = (offset: number) => ({
  name: `topic calls, partition 1, offset ${offset}`,
  key: `calls/1/${offset}`,
  hash: () => createHash('sha256').update(String(offset)).digest('hex'),
});

function intakeInto(raw: RawRecord[]): LoggingIntake {
  return new LoggingIntake({
    log: { append: (records) => Promise.resolve(raw.push(...records)) },
    clock: new ManualClock(1_764_000_000_000),
    normalizers: [nativeNormalizer, litellmNormalizer],
    seed: 7,
    maxPendingBytes: 1_000_000,
  });
}

function logged(raw: readonly RawRecord[]): LogRecord[] {
  return raw.map((record, i) => decodeRecord({ ...record, position: i + 1 }));
}

async function idsOf(...records: { value: unknown; place?: ReturnType<typeof place> }[]): Promise<string[]> {
  const raw: RawRecord[] = [];
  const incoming = records.map((record, index) => ({ index, bytes: 1, ...record }));
  await intakeInto(raw).accept(incoming, [], SPEAKER);
  return logged(raw).flatMap((record) => (record.type === 'observation' ? [record.value.id] : []));
}

it('gives equal records at two places two ids, and the same one to what is read again', async () => {
  const [first, second] = await idsOf({ value: RECORD, place: place(1) }, { value: RECORD, place: place(2) });
  const [again] = await idsOf({ value: RECORD, place: place(1) });
  const [posted, postedAgain] = await idsOf({ value: RECORD }, { value: RECORD });
  expect(first).toBe(again);
  expect(new Set([first, second, posted]).size).toBe(3);
  expect(posted).toBe(postedAgain);
});

it('keeps the emitter’s own id wherever the record lies', async () => {
  const value = { ...RECORD, id: 'mine' };
  expect(await idsOf({ value, place: place(1) }, { value, place: place(2) })).toEqual(['topic/mine', 'topic/mine']);
});

it('says in the dead letter where the record lies, and its hash; the emitter’s reasons stay few', async () => {
  const raw: RawRecord[] = [];
  const intake = intakeInto(raw);
  const seen: string[] = [];
  const report = await intake.accept(
    [
      { index: 0, value: { ...RECORD, kind: 'poem' }, bytes: 1, place: place(5) },
      { index: 1, value: RECORD, bytes: 1, place: place(6) },
    ],
    [{ index: 2, field: '', reason: 'is not valid JSON', raw: '{', place: place(7) }],
    SPEAKER,
    'native',
    ({ agentId }) => seen.push(agentId),
  );
  expect(report).toMatchObject({ accepted: 1, refused: [{ index: 0 }, { index: 2 }] });
  expect(report.refused[0]).not.toHaveProperty('place');
  expect(seen).toEqual(['a']);
  const letters = logged(raw).flatMap((record) => (record.type === 'dead-letter' ? [record.value] : []));
  expect(letters).toMatchObject([
    {
      field: 'kind',
      hash: place(5).hash(),
      reason: expect.stringMatching(/^topic calls, partition 1, offset 5: must be/),
    },
    { field: '', hash: place(7).hash(), reason: 'topic calls, partition 1, offset 7: is not valid JSON' },
  ]);
});

it('names a format that is not there by a code that others can tell', async () => {
  const lost = intakeInto([]).accept([], [], SPEAKER, 'map/gone');
  await expect(lost).rejects.toMatchObject({ code: 'UNKNOWN_FORMAT' });
});

import { expect, it } from 'vitest';
import type { IncomingRecord, Intake } from '../../../../src/api/port.js';
import type { Principal } from '../../../../src/model/principal.js';
import type { RefusedRecord } from '../../../../src/model/wire.js';
import { OtlpIntake } from '../../../../src/normalize/otlp/otlp-intake.js';
import { acceptExports } from '../../../../src/normalize/otlp/placed-exports.js';

const principal: Principal = { id: 'p', role: 'ingest', tenant: 't', streams: new Set(['reasoning']), agents: ['*'] };
const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });

function traces(...spanIds: string[]): Buffer {
  const spans = spanIds.map((spanId) => ({
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId,
    name: 'chat',
    startTimeUnixNano: '1764000000000000000',
    endTimeUnixNano: '1764000000100000000',
    attributes: [attribute('gen_ai.operation.name', 'chat'), attribute('gen_ai.agent.id', 'a')],
  }));
  return Buffer.from(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

it('tells of each record in which export it lies, and lets a bad export cost only itself', async () => {
  const taken: { records: readonly IncomingRecord[]; refused: readonly RefusedRecord[] }[] = [];
  const through: Intake = {
    accept: (records, refused) => {
      taken.push({ records, refused });
      return Promise.resolve({ accepted: records.length, refused: [...refused] });
    },
  };
  const otlp = new OtlpIntake({ intake: through, waitMs: 0, sleep: () => Promise.resolve() });
  const place = (name: string) => ({ name, hash: () => name });
  const bodies = [
    traces('eee19b7ec3c1b171', 'eee19b7ec3c1b172'),
    Buffer.from('{"resourceSp'),
    traces('00', 'eee19b7ec3c1b174'),
  ];
  await acceptExports(
    otlp,
    bodies.map((body, i) => ({ signal: 'traces', encoding: 'json', body, place: place(`export ${i}`) })),
    { principal, limits: { maxRecordBytes: 10_000, maxRecords: 10 }, through },
  );
  expect(taken).toHaveLength(1);
  const [{ records, refused } = { records: [], refused: [] }] = taken;
  expect(records.map(({ index, place }) => [index, place?.name])).toEqual([
    [0, 'export 0'],
    [1, 'export 0'],
    [4, 'export 2'],
  ]);
  expect(refused.map(({ index, place }) => [index, place?.name])).toEqual([
    [2, 'export 1'],
    [3, 'export 2'],
  ]);
});

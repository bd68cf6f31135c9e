import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockToken, encodeRows, type Row } from '../../../src/store/row.js';

const row = (place: number, json: string): Row => ({
  table: 'observations',
  place,
  lead: `"position":${place},"partition":0`,
  json: Buffer.from(json),
});

describe('encodeRows', () => {
  it('puts the lead in front of the record, whatever the record holds', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 5 }), (records) => {
        const rows = records.map((record, i) => row(i + 1, JSON.stringify(record)));
        const lines = encodeRows(rows).toString('utf8').split('\n');
        expect(lines.pop()).toBe('');
        expect(lines.map((line): unknown => JSON.parse(line))).toEqual(
          records.map((record, i): unknown => JSON.parse(JSON.stringify({ position: i + 1, partition: 0, ...record }))),
        );
      }),
    );
  });

  it('passes on what is no object, so that the engine names it', () => {
    expect(encodeRows([row(1, '[1]'), row(2, '{}')]).toString()).toBe('[1]\n{"position":2,"partition":0}\n');
  });
});

describe('blockToken', () => {
  it('is the same for the same rows and differs by range, content, table and partition', () => {
    const rows = [row(1, '{"a":1}'), row(2, '{"a":2}')];
    const token = blockToken('observations', 0, rows);
    expect(token).toMatch(/^observations:0:1-2:[0-9a-f]{16}$/);
    expect(blockToken('observations', 0, [...rows])).toBe(token);
    const others = [
      blockToken('observations', 0, rows.slice(0, 1)),
      blockToken('observations', 0, [row(1, '{"a":9}'), row(2, '{"a":2}')]),
      blockToken('payloads', 0, rows),
      blockToken('observations', 1, rows),
    ];
    expect(new Set([token, ...others]).size).toBe(5);
  });
});

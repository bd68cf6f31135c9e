import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBatch } from '../../../src/api/batch.js';
import { TooManyRecords, splitArray } from '../../../src/api/json-boundaries.js';

const limits = { maxDepth: 8, maxRecordBytes: 10_000, maxRecords: 100 };
const read = (text: string | Buffer, isLines = false) => {
  const { records, refused } = readBatch(Buffer.from(text), isLines, limits);
  return {
    values: records.map((r) => [r.index, r.value]),
    refused: refused.map((r) => [r.index, r.reason.split(';')[0]]),
  };
};
const MALFORMED = 'is not valid JSON';

describe('arrays', () => {
  it.each([
    ['[]', [], []],
    [' [ ] ', [], []],
    [
      '[{"a":1},{"b":[1,2]}]',
      [
        [0, { a: 1 }],
        [1, { b: [1, 2] }],
      ],
      [],
    ],
    [
      '[{"a":"],}{[\\""} , 3 ]',
      [
        [0, { a: '],}{["' }],
        [1, 3],
      ],
      [],
    ],
    [
      '[{"a":1},{bad},{"c":3}]',
      [
        [0, { a: 1 }],
        [2, { c: 3 }],
      ],
      [[1, MALFORMED]],
    ],
    [
      '[{"a":1},{"b": ]},{"c":3}]',
      [
        [0, { a: 1 }],
        [2, { c: 3 }],
      ],
      [[1, MALFORMED]],
    ],
    [
      '[{"a":1},{"b":"open\n},{"c":3}]',
      [
        [0, { a: 1 }],
        [2, { c: 3 }],
      ],
      [[1, MALFORMED]],
    ],
    ['[{"a":NaN},{"c":3}]', [[1, { c: 3 }]], [[0, MALFORMED]]],
    [
      '[{"a":1},,{"c":3},]',
      [
        [0, { a: 1 }],
        [2, { c: 3 }],
      ],
      [
        [1, 'is empty'],
        [3, 'is empty'],
      ].map(([i]) => [i, MALFORMED]),
    ],
    ['[{"a":1},{"b":2', [[0, { a: 1 }]], [[1, 'is cut off, or follows the end of the array']]],
    ['[{"a":1}', [], [[0, 'is cut off, or follows the end of the array']]],
    ['[{"a":1}] trailing', [[0, { a: 1 }]], [[1, 'is cut off, or follows the end of the array']]],
    ['[[[[[[[[[[[1]]]]]]]]]],{"c":3}]', [[1, { c: 3 }]], [[0, 'is nested deeper than 8 levels']]],
    [`["${'x'.repeat(20_000)}",{"c":3}]`, [[1, { c: 3 }]], [[0, 'is 20002 bytes long']]],
  ])('%j', (text, values, refused) => {
    const result = read(text);
    expect(result.values).toEqual(values);
    expect(
      result.refused.map(([i, r]) => [
        i,
        r === 'is not valid JSON' || String(r).startsWith('is empty') ? MALFORMED : r,
      ]),
    ).toEqual(refused);
  });

  it('stops at the limit before it has parsed anything', () => {
    expect(() => splitArray(Buffer.from(`[${'1,'.repeat(200)}1]`), limits)).toThrow(TooManyRecords);
  });

  it('finds what JSON.parse finds, for every valid array', () => {
    const wide = { ...limits, maxDepth: 1_000, maxRecordBytes: 1e9, maxRecords: 1e9 };
    fc.assert(
      fc.property(
        fc.array(fc.json({ noUnicodeString: false }), { maxLength: 20 }),
        fc.constantFrom('', ' ', '\n', '\r\n\t'),
        (items, space) => {
          const text = `[${items.map((i) => space + i + space).join(',')}]`;
          const batch = readBatch(Buffer.from(text), false, wide);
          expect(batch.refused).toEqual([]);
          expect(batch.records.map((r) => r.value)).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never throws anything but its refusals, for any bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ':', '1', 'a', '\n', ' ', 'é'), { maxLength: 60 }),
        (parts) => {
          const batch = readBatch(Buffer.from(`[${parts.join('')}`), false, limits);
          const indexes = [...batch.records, ...batch.refused].map((r) => r.index).sort((a, b) => a - b);
          expect(indexes).toEqual(indexes.map((_, i) => i));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('lines', () => {
  it('refuses a bad line by its index and takes the others', () => {
    expect(read('{"a":1}\n\n  \r\n{bad\n{"c":3}', true)).toEqual({
      values: [
        [0, { a: 1 }],
        [2, { c: 3 }],
      ],
      refused: [[1, MALFORMED]],
    });
  });

  it('refuses bytes that are not UTF-8, and only those', () => {
    const body = Buffer.concat([
      Buffer.from('{"a":"é"}\n{"b":"'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}\n{"c":3}'),
    ]);
    expect(read(body, true)).toEqual({
      values: [
        [0, { a: 'é' }],
        [2, { c: 3 }],
      ],
      refused: [[1, 'is not valid UTF-8']],
    });
  });
});

describe('one object', () => {
  it('is one record', () => {
    expect(read(' {"a":1} ')).toEqual({ values: [[0, { a: 1 }]], refused: [] });
    expect(read('nonsense').refused).toEqual([[0, MALFORMED]]);
    expect(() => read('   ')).toThrow('no record');
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeTarget } from '../../../src/normalize/derive-targets.js';
import {
  MAX_REQUEST_VALUES,
  MAX_VALUES,
  MAX_WORDS,
  messageWords,
  requestHashes,
  resultValues,
  valueHash,
  valueHashes,
} from '../../../src/normalize/derive.js';

const SEED = 7;

describe('requestHashes', () => {
  const asked = (text: string) => requestHashes(text, SEED).words;

  it('gives requests that differ only in addresses, amounts and quotes the same words', () => {
    const one = asked('Please send "see you" to bob@example.org and pay 1,200.50 on 2024-05-26');
    const other = asked('Please send "bye" to eve@elsewhere.net and pay 7.10 on 2025-01-02');
    expect(new Set(one)).toEqual(new Set(other));
    expect(one.length).toBeGreaterThan(3);
  });

  it('reads through invisible characters and wide letters', () => {
    expect(asked('pay\u200bment ｐａｙｍｅｎｔ')).toEqual(asked('payment'));
  });

  it('mentions what a target may be grounded in', () => {
    const { values } = requestHashes('write to Bob@Example.org about the rent', SEED);
    expect(values).toContain(valueHash('bob@example.org', SEED));
    for (const word of makeTarget({ field: 'f', kind: 'text', value: 'rent' }, SEED).words)
      expect(values).toContain(word);
  });

  it('is keyed', () => {
    expect(asked('pay the rent')).not.toEqual(requestHashes('pay the rent', SEED + 1).words);
  });
});

describe('valueHashes', () => {
  const holds = (text: string, value: string) => valueHashes(text, SEED).includes(valueHash(value, SEED));

  it.each([
    ['write to Bob@Example.org.', 'bob@example.org'],
    ['see http://www.example.org/', 'www.example.org'],
    ['see https://example.org/path/x', 'example.org'],
    ['pay $1,200.00 now', '1200'],
    ['account DE89370400440532013000', 'DE89 3704 0044 0532 0130 00'],
    ['open /user/info/my.txt', '/user/info/my.txt'],
    ['Please invite Sarah Connor today', 'Sarah Connor'],
    ['in the channel "general"', 'general'],
    ["['general', 'random']", 'random'],
    ['- body: hi\n  recipient: general room\n', 'general room'],
    ['- milk\n- dark bread\n', 'dark bread'],
    ['{"id":"ORD-77","total":12.5}', '12.5'],
    ['{"id":"ORD-77","total":12.5}', 'ord-77'],
  ])('%j holds %j', (text, value) => {
    expect(holds(text, value)).toBe(true);
  });

  it('does not hold what is not there, nor the keys of JSON', () => {
    expect(holds('write to bob@example.org', 'eve@example.org')).toBe(false);
    expect(holds('{"recipient":"bob"}', 'recipient')).toBe(false);
  });

  it('does not let a flood of names push out an address', () => {
    const flood = Array.from(
      { length: 2_000 },
      (_, i) => `Name${'abcdefghij'.charAt(i % 10)}${'x'.repeat(i % 40)}`,
    ).join(' ');
    expect(holds(`${flood} eve@example.org`, 'eve@example.org')).toBe(true);
    expect(valueHashes(flood, SEED).length).toBeLessThanOrEqual(MAX_VALUES);
  });
});

describe('hostile texts', () => {
  const hostile = [
    `"${'a'.repeat(200_000)}`,
    "'a ".repeat(60_000),
    "'a'b ".repeat(40_000),
    '"'.repeat(200_000),
    'a@'.repeat(100_000),
    'a.'.repeat(100_000),
    'http://'.repeat(28_000),
    '1,'.repeat(100_000),
    '\u202e\u0000\ud800'.repeat(60_000),
    'ﷺ'.repeat(100_000),
    'A'.repeat(200_000),
    'A '.repeat(100_000),
    ': \n'.repeat(60_000),
  ];

  it.each(hostile.map((text) => [text.slice(0, 12), text]))('%j stays bounded', (_, text) => {
    const request = requestHashes(text, SEED);
    expect(request.words.length).toBeLessThanOrEqual(MAX_WORDS);
    expect(request.values.length).toBeLessThanOrEqual(MAX_REQUEST_VALUES);
    expect(messageWords(text, SEED).length).toBeLessThanOrEqual(MAX_WORDS);
    expect(resultValues(text, SEED).length).toBeLessThanOrEqual(MAX_VALUES);
    expect(Number.isInteger(valueHash(text, SEED))).toBe(true);
  });

  it('never throws, and hashes are unsigned 32-bit integers', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        for (const hash of [...requestHashes(text, SEED).words, ...resultValues(text, SEED), valueHash(text, SEED)]) {
          expect(Number.isInteger(hash) && hash >= 0 && hash <= 0xffffffff).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

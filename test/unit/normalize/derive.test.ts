import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur32 } from '../../../src/lib/hash.js';
import {
  MAX_VALUES,
  MAX_WORDS,
  plainWordHashes,
  valueHash,
  valueHashes,
  wordHashes,
} from '../../../src/normalize/derive.js';

const SEED = 7;
const words = (...list: string[]) => list.map((word) => murmur32(word, SEED));

describe('wordHashes', () => {
  it.each([
    ['Pay the Bill.', ['pay', 'the', 'bill']],
    ['send it to bob@example.org', ['send', 'it', 'to', '<email>']],
    ['visit https://example.org/a?b=c&d=e, then www.example.com.', ['visit', '<url>', 'then', '<url>']],
    ['look at example.org now', ['look', 'at', '<url>', 'now']],
    ['wire 1,200.50 to DE89370400440532013000', ['wire', '<number>', 'to', '<iban>']],
    ['pay $50 or 50€ or £3', ['pay', '<amount>', 'or', '<amount>', 'or', '<amount>']],
    ['on 2024-05-26 at 10:30 or 3/4/2024', ['on', '<date>', 'at', '<date>', 'or', '<date>']],
    ["call it 'Lunch with Sarah' please", ['call', 'it', '<quoted>', 'please']],
    ['say "see you" and “bye”', ['say', '<quoted>', 'and', '<quoted>']],
    ["don't touch Bob's file", ['dont', 'touch', 'bobs', 'file']],
    ['read bill-december-2023.txt and /user/info/my.txt', ['read', '<file>', 'and', '<file>']],
    ['order ORDER-104674 is a well-known one', ['order', '<id>', 'is', 'a', 'well', 'known', 'one']],
    ['pay\u200bpal ｐａｙ', ['paypal', 'pay']],
    ['Überweisung für Ärger', ['überweisung', 'für', 'ärger']],
    ['', []],
  ])('%j', (text, expected) => {
    expect(wordHashes(text, SEED)).toEqual(words(...expected));
  });

  it('keeps at most 256 words', () => {
    expect(wordHashes('word '.repeat(100_000), SEED)).toHaveLength(MAX_WORDS);
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
    expect(wordHashes(text, SEED).length).toBeLessThanOrEqual(MAX_WORDS);
    expect(valueHashes(text, SEED).length).toBeLessThanOrEqual(MAX_VALUES);
    expect(plainWordHashes(text, SEED, 32).length).toBeLessThanOrEqual(32);
    expect(Number.isInteger(valueHash(text, SEED))).toBe(true);
  });

  it('never throws, and hashes are unsigned 32-bit integers', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        for (const hash of [...wordHashes(text, SEED), ...valueHashes(text, SEED), valueHash(text, SEED)]) {
          expect(Number.isInteger(hash) && hash >= 0 && hash <= 0xffffffff).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

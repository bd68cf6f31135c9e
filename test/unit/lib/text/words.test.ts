import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur32 } from '../../../../src/lib/hash.js';
import { isDateOrTime } from '../../../../src/lib/text/date-or-time.js';
import { stem } from '../../../../src/lib/text/stem.js';
import { formOf } from '../../../../src/lib/text/token-form.js';
import { runs, tokens } from '../../../../src/lib/text/tokens.js';
import { identifierWords, mentionedWords, requestWords } from '../../../../src/lib/text/words.js';

const SEED = 5;
const hash = (word: string) => murmur32(word, SEED);
const bounds = { seed: SEED, maxChars: 1_000, maxWords: 100 };

describe('stem', () => {
  it.each([
    ['sends', 'send'],
    ['sending', 'send'],
    ['planned', 'plan'],
    ['calling', 'call'],
    ['invoices', 'invoic'],
    ['invoice', 'invoic'],
    ['cities', 'city'],
    ['status', 'status'],
    ['pass', 'pass'],
  ])('brings %s to %s', (word, expected) => {
    expect(stem(word)).toBe(expected);
  });
});

describe('formOf', () => {
  it.each([
    ['bob@example.com', 'email'],
    ['https://x.org/a', 'url'],
    ['www.x.org', 'url'],
    ['1,200.50', 'amount'],
    ['2024-05-01', 'date'],
    ['12:30', 'date'],
    ['report.pdf', 'file'],
    ['/etc/hosts', 'file'],
    ['GB29NWBK60161331926819', 'code'],
    ['hello', 'word'],
  ])('calls %s a %s', (text, form) => {
    expect(formOf(text)).toBe(form);
  });
});

describe('tokens', () => {
  it('follows quotes over several pieces and ends them behind punctuation', () => {
    const found = tokens('say "hello dear world", then stop', 100);
    expect(found.filter(({ quoted }) => quoted).map(({ text }) => text)).toEqual(['hello', 'dear', 'world']);
    expect(found.at(-1)).toEqual({ form: 'word', text: 'stop', quoted: false });
  });
});

describe('requestWords', () => {
  it('gives what is asked as stems and marks, and what is mentioned as it is', () => {
    const { words, values } = requestWords('Please send 100 to Bob.Olive@x.com about "secret plans"', SEED);
    expect(words).toEqual(['send', '<amount>', '<email>', '<quoted>'].map(hash));
    expect(values).toEqual(
      expect.arrayContaining(['send', '100', 'bob', 'olive', 'x', 'com', 'secret', 'plans'].map(hash)),
    );
    expect(values).not.toContain(hash('please'));
  });

  it('depends on the seed', () => {
    expect(requestWords('send money', 1).words).not.toEqual(requestWords('send money', 2).words);
  });
});

describe('identifierWords', () => {
  it.each(['sendMoney', 'send_money', 'SendMoney', 'send-money'])('reads %s like the words of a request', (name) => {
    expect(identifierWords(name, SEED)).toEqual(requestWords('sending money', SEED).words);
  });
});

describe('isDateOrTime', () => {
  it.each(['2024-05-01', '2024-05-01T10:00', '12:30', '2024-05-01 10:00:00.000Z'])('%s is one', (value) => {
    expect(isDateOrTime(value)).toBe(true);
  });

  it.each(['12345', 'tomorrow', '555-CALL', '', '2024-05-01 at the office'])('%j is none', (value) => {
    expect(isDateOrTime(value)).toBe(false);
  });
});

describe('hostile text', () => {
  it('stays within its bounds, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (text) => {
        const { words, values } = requestWords(text, SEED);
        expect(new Set(words).size).toBe(words.length);
        expect(values.length).toBeLessThanOrEqual(400);
        expect(mentionedWords(text, { ...bounds, maxWords: 7 }).length).toBeLessThanOrEqual(7);
        expect(identifierWords(text, SEED).length).toBeLessThanOrEqual(12);
        for (const run of runs(text, 50)) expect(run.length).toBeLessThanOrEqual(64);
      }),
    );
  });

  it.each([
    ['one word', 'a'.repeat(10_000_000)],
    ['quotes', '"'.repeat(10_000_000)],
    ['blanks', ' '.repeat(10_000_000)],
    ['control characters', '\u0000\u001b[2J'.repeat(2_000_000)],
    ['lone surrogates', '\ud800 '.repeat(5_000_000)],
    ['short words', 'ab "cd '.repeat(1_500_000)],
  ])('reads only the beginning of 10 MB of %s', (_, text) => {
    const { words, values } = requestWords(text, SEED);
    // What lies behind the bound changes nothing: it is not read.
    expect(requestWords(text.slice(0, 8_000), SEED)).toEqual({ words, values });
    expect(words.length).toBeLessThanOrEqual(1_300);
    expect(mentionedWords(text, bounds)).toEqual(mentionedWords(text.slice(0, 1_000), bounds));
    expect(identifierWords(text, SEED).length).toBeLessThanOrEqual(12);
  });
});

import { describe, expect, it } from 'vitest';
import { cleanText, clockTime, dayTime } from '../../../src/notify/clean.js';

describe('cleaned text', () => {
  it.each([
    ['https://evil.example/x', 'https[:]//evil[.]example/x'],
    ['a@b.c', 'a[@]b[.]c'],
    ['at 12:30, note: 1.5 nats.', 'at 12:30, note: 1.5 nats.'],
    ['send_money (write): allowed', 'send_money (write): allowed'],
    ['fs.read', 'fs[.]read'],
    ['\\\\host\\share', '[\\]\\host\\share'],
    ['bücher。example', 'bücher[.]example'],
  ])('%s becomes %s', (text, expected) => {
    expect(cleanText(text, 200)).toBe(expected);
  });

  it('is the same when it is cleaned again, and bounded', () => {
    const once = cleanText('https://a.b@c:d \\\\x.y', 200);
    expect(cleanText(once, 200)).toBe(once);
    expect(cleanText('x'.repeat(1_000), 20)).toBe(`${'x'.repeat(20)}…`);
  });
});

describe('times', () => {
  it('are in UTC, and never fail', () => {
    expect([clockTime(1_000), dayTime(1_000)]).toEqual(['00:00:01', '1970-01-01 00:00:01 UTC']);
    expect([Number.NaN, -1, 1e300].map(clockTime)).toEqual(['00:00:00', '00:00:00', '00:00:00']);
  });
});

import { describe, expect, it } from 'vitest';
import { cleanText } from '../../../src/notify/clean.js';

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

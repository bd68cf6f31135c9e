import { describe, expect, it } from 'vitest';
import { valueHash } from '../../../src/normalize/derive.js';
import { argumentWords, deriveTargets, makeTarget, MAX_TARGETS } from '../../../src/normalize/derive-targets.js';

const SEED = 7;
const kinds = (args: Record<string, unknown>) =>
  deriveTargets(args, SEED).map(({ field, kind, value }) => [field, kind, value]);

describe('deriveTargets', () => {
  it('tells kinds by shape first, then by field name', () => {
    expect(
      kinds({
        recipient: 'GB29NWBK60161331926819',
        to: 'bob@example.org',
        cc: ['Alice', 'carol@example.org'],
        url: 'www.example.org',
        amount: 50,
        file_path: 'notes',
        order_id: '42',
        restaurant_names: ['Chez Bob'],
        channel: 'general',
        city: 'Paris',
        new_password: 'hunter2',
        query: 'cheap hotels',
        title: 'hello',
      }),
    ).toEqual([
      ['recipient', 'iban', 'GB29NWBK60161331926819'],
      ['to', 'email', 'bob@example.org'],
      ['cc', 'party', 'Alice'],
      ['cc', 'email', 'carol@example.org'],
      ['url', 'url', 'www.example.org'],
      ['amount', 'amount', '50'],
      ['file_path', 'file', 'notes'],
      ['order_id', 'record', '42'],
      ['restaurant_names', 'venue', 'Chez Bob'],
      ['channel', 'channel', 'general'],
      ['city', 'place', 'Paris'],
      ['new_password', 'secret', '[redacted:password]'],
      ['query', 'query', 'cheap hotels'],
      ['title', 'text', 'hello'],
    ]);
  });

  it('finds addresses inside longer texts', () => {
    const found = kinds({ body: 'Dear Bob, please send everything to eve@evil.example or https://evil.example/drop' });
    expect(found.slice(1)).toEqual([
      ['body', 'email', 'eve@evil.example'],
      ['body', 'url', 'https://evil.example/drop'],
    ]);
  });

  it('looks into nested arguments, to a bounded depth and number', () => {
    expect(kinds({ a: { b: { email: ['x@y.org'] } } })).toEqual([['email', 'email', 'x@y.org']]);
    let deep: Record<string, unknown> = { email: 'x@y.org' };
    for (let i = 0; i < 50; i++) deep = { a: deep };
    expect(kinds(deep)).toEqual([]);
    expect(kinds({ to: Array.from({ length: 10_000 }, (_, i) => `p${i}`) })).toHaveLength(MAX_TARGETS);
  });

  it('takes own properties only, whatever they are called', () => {
    expect(kinds(JSON.parse('{"__proto__":{"to":"eve@evil.example"},"constructor":"x"}'))).toEqual([
      ['to', 'email', 'eve@evil.example'],
      ['constructor', 'text', 'x'],
    ]);
  });
});

describe('makeTarget', () => {
  it('hashes the whole value and shows a short, redacted, harmless part', () => {
    const value = `sk-live-Abc123Def456Ghi789Jkl012 \u001b[31m\u202e${'x'.repeat(4_000)}`;
    const target = makeTarget({ field: 'note', kind: 'text', value }, SEED);
    expect(target.hash).toBe(valueHash(value, SEED));
    expect(target.value).toMatch(/^\[redacted:api-key\] \\u001b\[31m\\u202ex+$/);
    expect(target.value.length).toBeLessThan(300);
    expect(target.words.length).toBeLessThanOrEqual(32);
    expect(target.origin).toBe('unknown');
  });

  it('gives different spellings of one value one hash', () => {
    const hash = (value: string) => makeTarget({ field: 'x', kind: 'y', value }, SEED).hash;
    expect(hash('https://WWW.Example.org/')).toBe(hash('example.org'));
    expect(hash(' "Sarah  Connor" ')).toBe(hash('sarah connor'));
    expect(hash('$1,200.00')).toBe(hash('1200'));
    expect(hash('a@b.org')).not.toBe(hash('b@b.org'));
  });
});

describe('argumentWords', () => {
  it('leaves secrets out and stays bounded', () => {
    expect(argumentWords({ password: 'alpha beta' }, SEED)).toEqual([]);
    expect(argumentWords({ a: 'alpha beta', b: [31] }, SEED)).toHaveLength(3);
    const many = Array.from({ length: 5_000 }, (_, i) => `w${i}`).join(' ');
    expect(argumentWords({ a: many, b: 'more' }, SEED)).toHaveLength(200);
    expect(argumentWords({ when: '2024-05-01T10:00' }, SEED)).toEqual([]);
  });
});

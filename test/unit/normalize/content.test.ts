import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTENT_LEVELS, type ContentLevel } from '../../../src/model/content-level.js';
import { argsContent, shownTarget, shownText, textContent } from '../../../src/normalize/content.js';
import { isMailAddress, redactMail } from '../../../src/normalize/redact-mail.js';

const KEY = 'sk-live-Abc123Def456Ghi789Jkl012';
const CARD = '4111 1111 1111 1111';
const at = (level: ContentLevel) => ({ level, seed: 7 });

describe('redactMail', () => {
  it.each([
    ['write to bob@example.org.', 'write to [redacted:email].'],
    ['<bob.o-neil+x@mail.example.co.uk>, ann@a.io', '<[redacted:email]>, [redacted:email]'],
    ['jürgen@müller.example sagt', '[redacted:email] sagt'],
    ['mailto:bob@example.org?subject=x', 'mailto:[redacted:email]?subject=x'],
    ['"to":"bob@example.org"', '"to":"[redacted:email]"'],
    ['a@b.org@c.org', '[redacted:email]@c.org'],
  ])('%j', (text, expected) => {
    expect(redactMail(text)).toBe(expected);
  });

  it.each(['@alice said', 'npm i @scope/pkg@1.2.3', 'a @ b.org', 'user@localhost', 'x@y.1', 'foo@', '@', 'a@b..org'])(
    'leaves %j alone',
    (text) => {
      expect(redactMail(text)).toBe(text);
      expect(isMailAddress(text)).toBe(false);
    },
  );

  it('leaves no address behind, takes linear time, and a second pass finds nothing', () => {
    const piece = fc.constantFrom('a', '@', '.', 'org', ' ', '"', '-', '1', 'ü', '[redacted:email]', '\ud83d');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const once = redactMail(pieces.join(''));
        expect(once).not.toMatch(/[a-z0-9]@[a-z][a-z]+\.org/);
        expect(redactMail(once)).toBe(once);
      }),
      { numRuns: 500 },
    );
    expect(redactMail('a@'.repeat(200_000)).length).toBe(400_000);
    expect(redactMail(`${'a'.repeat(300_000)}@${'b.'.repeat(300_000)}`).length).toBeGreaterThan(0);
  });
});

describe('content', () => {
  const text = `ask bob@example.org to pay with ${CARD}, key ${KEY}`;

  it.each(CONTENT_LEVELS)('has no secret, key or card where it is %s', (level) => {
    const kept = [
      textContent(text, at(level)) ?? '',
      argsContent({ note: [text], password: 'hunter2', [KEY]: 1 }, '', at(level)) ?? '',
      shownText(text, at(level)),
      shownTarget({ kind: 'text', value: text }, 1, level),
    ].join('\n');
    for (const secret of [KEY, CARD, 'hunter2']) expect(kept).not.toContain(secret);
    expect(kept.includes('bob@example.org')).toBe(level === 'full');
  });

  it('that is off leaves no record; that is hashed tells equal things only', () => {
    expect(textContent(text, at('off'))).toBeUndefined();
    expect(argsContent({ a: 1 }, '{"a":1}', at('off'))).toBeUndefined();
    const hash = (value: unknown) => argsContent({ to: [{ value }] }, '', at('hashed'));
    expect(hash('x')).toMatch(/^\{"args":\{"to":\[\{"value":"\[hash:[0-9a-f]{14}\]"\}\]\}\}$/);
    expect(hash('x')).toBe(hash('x'));
    expect(hash('x')).not.toBe(hash('y'));
    expect(argsContent({ a: 'x' }, '', { level: 'hashed', seed: 8 })).not.toBe(
      argsContent({ a: 'x' }, '', at('hashed')),
    );
  });

  it('that hides nothing is the very text that came', () => {
    expect(argsContent({ a: 'plain' }, '{"a": "plain"}', at('redacted'))).toBe('{"args":{"a": "plain"}}');
  });

  it('says that there was an error or a reason, also where it does not say which', () => {
    expect(shownText('denied: bob', at('off'))).toBe('[withheld]');
    expect(shownText('denied: bob', at('hashed'))).toMatch(/^\[hash:/);
    expect(shownText('', at('off'))).toBe('');
  });
});

describe('a target', () => {
  it('that is an address stays for whoever has to judge the call; addresses inside longer texts go', () => {
    expect(shownTarget({ kind: 'email', value: 'eve@evil.example' }, 1, 'redacted')).toBe('eve@evil.example');
    expect(shownTarget({ kind: 'text', value: 'hi eve@evil.example' }, 1, 'redacted')).toBe('hi [redacted:email]');
    expect(shownTarget({ kind: 'text', value: 'hi eve@evil.example' }, 1, 'full')).toBe('hi eve@evil.example');
  });

  it.each(['off', 'hashed'] as const)('whose content is %s keeps its hash, and the host of an address', (level) => {
    const shown = (kind: string, value: string) => shownTarget({ kind, value }, 0xab, level);
    expect(shown('email', 'eve@evil.example')).toBe('[hash:000000ab]@evil.example');
    expect(shown('url', 'https://evil.example/secret?x=1')).toBe('evil.example');
    expect(shown('host', 'evil.example')).toBe('evil.example');
    expect(shown('party', 'Eve')).toBe('[hash:000000ab]');
  });
});

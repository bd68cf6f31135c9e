import { describe, expect, it } from 'vitest';
import { isOutsideHours, undeclaredDestinations } from '../../../src/detect/expected-scope.js';
import { profileSchema } from '../../../src/model/profile.js';

const target = (kind: string, value: string) => ({
  field: 'f',
  kind,
  value,
  hash: 1,
  words: [],
  origin: 'none' as const,
});

describe('destinations of a profile', () => {
  const { destinations } = profileSchema.parse({ destinations: ['Example.com', 'partner.example'] });

  it.each([
    ['email', 'Anna@EXAMPLE.com', []],
    ['email', 'anna@example.com@evil.test', ['evil.test']],
    ['url', 'https://example.com:8443/a?b=@evil.test', []],
    ['url', 'https://example.com@evil.test/', ['evil.test']],
    ['url', 'evil.test/path', ['evil.test']],
    ['host', 'api.partner.example:443', []],
    ['host', 'badpartner.example', ['badpartner.example']],
    ['text', 'evil.test', []],
  ])('%s %s', (kind, value, found) => {
    expect(undeclaredDestinations([target(kind, value)], destinations)).toEqual(found);
  });

  it('are all of them where none is listed, and no scheme, port or wildcard is taken for a host', () => {
    expect(undeclaredDestinations([target('host', 'evil.test')], [])).toEqual([]);
    for (const wrong of ['https://example.com', 'example.com:443', '*.example.com']) {
      expect(profileSchema.safeParse({ destinations: [wrong] }).success).toBe(false);
    }
  });
});

describe('hours of a profile', () => {
  const night = profileSchema.parse({ hours: { days: ['friday'], from: 22, to: 6 } }).hours;
  const day = profileSchema.parse({ hours: { from: 9, to: 17, utcOffset: 2 } }).hours;

  it.each([
    ['Friday before', night, Date.UTC(2026, 0, 9, 21, 59), true],
    ['Friday night', night, Date.UTC(2026, 0, 9, 22), false],
    ['the morning after belongs to the night', night, Date.UTC(2026, 0, 10, 5, 59), false],
    ['its end', night, Date.UTC(2026, 0, 10, 6), true],
    ['Friday morning belongs to Thursday', night, Date.UTC(2026, 0, 9, 3), true],
    ['nine by its own clock', day, Date.UTC(2026, 0, 11, 7), false],
    ['before nine by its own clock', day, Date.UTC(2026, 0, 11, 6, 59), true],
    ['no hours', undefined, 0, false],
  ])('%s', (_, hours, time, outside) => {
    expect(isOutsideHours(time, hours)).toBe(outside);
  });
});

import { assert, constantFrom, integer, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposedName } from '../../../../src/gateway/mcp/names.js';

const MAX_CHARS = 48;

describe('names that clients see', () => {
  it('keeps a plain name as it is', () => {
    expect(exposedName('files', 'read_text_file', MAX_CHARS)).toBe('files__read_text_file');
  });

  it('marks a name that had to be changed with a hash, the same at every start', () => {
    const dotted = exposedName('api', 'users.list', MAX_CHARS);
    expect(dotted).toMatch(/^api__users_list_[0-9a-f]{8}$/);
    expect(exposedName('api', 'users.list', MAX_CHARS)).toBe(dotted);
    expect(exposedName('api', 'users/list', MAX_CHARS)).not.toBe(dotted);
    expect(exposedName('api', 'users_list', MAX_CHARS)).toBe('api__users_list');
    expect(exposedName('api', 'x'.repeat(200), MAX_CHARS)).toMatch(/^api__x+_[0-9a-f]{8}$/);
  });

  it('always fits what models and clients take', () => {
    const name = string({
      unit: constantFrom('a', '_', '-', '.', '/', ' ', 'é', '\n', '\u202e', '💥'),
      maxLength: 150,
    });
    const shown = property(name, integer({ min: 32, max: 128 }), (text, maxChars) => {
      const exposed = exposedName('server-name-of-24-chars-x', text, maxChars);
      return /^[A-Za-z0-9_-]+$/.test(exposed) && exposed.length <= maxChars;
    });
    expect(() => assert(shown)).not.toThrow();
  });
});

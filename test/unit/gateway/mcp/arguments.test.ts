import { describe, expect, it } from 'vitest';
import { argumentFault } from '../../../../src/gateway/mcp/arguments.js';

function nested(levels: number): Record<string, unknown> {
  let value: Record<string, unknown> = {};
  for (let i = 0; i < levels; i++) value = { value };
  return value;
}

describe('arguments that cannot be put before the observer', () => {
  it('takes what is usual', () => {
    expect(argumentFault({ path: '/a', edits: [{ oldText: 'a', newText: 'b' }] }, 1_000)).toBeUndefined();
    expect(argumentFault(nested(23), 1_000)).toBeUndefined();
  });

  it.each([
    ['too deep', nested(24), /nested deeper than 24 levels/],
    ['far too deep', nested(5_000), /nested deeper than 24 levels/],
    ['too long', { content: 'x'.repeat(1_000) }, /longer than 1000 characters/],
    ['with a long name', { ['x'.repeat(300)]: 1 }, /name is longer than 256/],
  ])('refuses what is %s', (_, args, fault) => {
    expect(argumentFault(args, 1_000)).toMatch(fault);
  });
});

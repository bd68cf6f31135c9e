import { describe, expect, it } from 'vitest';
import { DeclaredCalls } from '../../../src/baseline/declared-calls.js';

describe('DeclaredCalls', () => {
  it('matches by id where both sides have one, by tool otherwise', () => {
    const declared = new DeclaredCalls();
    declared.add([{ callId: 'c1', tool: 'read' }, { tool: 'send' }]);
    expect(declared.has({ callId: 'c1', tool: 'read' })).toBe(true);
    expect(declared.has({ callId: 'c2', tool: 'read' })).toBe(false);
    expect(declared.has({ tool: 'read' })).toBe(true);
    expect(declared.has({ callId: 'c9', tool: 'send' })).toBe(true);
    expect(declared.has({ callId: 'c9', tool: 'pay' })).toBe(false);
  });

  it('announces one call once, and forgets the oldest', () => {
    const declared = new DeclaredCalls();
    declared.add([{ tool: 'send' }]);
    declared.take({ tool: 'send' });
    expect(declared.has({ tool: 'send' })).toBe(false);
    declared.add(Array.from({ length: 500 }, (_, i) => ({ tool: `tool${i}` })));
    expect(declared.toPlain()).toHaveLength(128);
    expect(declared.has({ tool: 'tool371' })).toBe(false);
    expect(new DeclaredCalls(declared.toPlain()).has({ tool: 'tool372' })).toBe(true);
  });
});

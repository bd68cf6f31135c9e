import { describe, expect, it } from 'vitest';
import { ToolRules } from '../../../../src/gateway/mcp/rules.js';

describe('the rules of the gateway', () => {
  it('lets the most particular pattern win, whatever the order', () => {
    const lines = [
      { id: 'all', tools: ['*'], decision: 'ask' as const },
      { id: 'files', tools: ['files__*'], decision: 'deny' as const, reason: 'hands off' },
      { id: 'one', tools: ['files__read_text_file'], decision: 'allow' as const },
    ];
    for (const rules of [lines, lines.toReversed()]) {
      const found = new ToolRules('allow', rules);
      expect(found.find('memory__read_graph')).toEqual({ decision: 'ask', ruleId: 'mcp:all' });
      expect(found.find('files__write_file')).toEqual({ decision: 'deny', ruleId: 'mcp:files', reason: 'hands off' });
      expect(found.find('files__read_text_file')).toEqual({ decision: 'allow', ruleId: 'mcp:one' });
    }
  });

  it('takes the stricter of two rules for the same name', () => {
    const rules = new ToolRules('allow', [
      { tools: ['a__b'], decision: 'allow' },
      { tools: ['a__b'], decision: 'deny' },
      { tools: ['a__b'], decision: 'ask' },
    ]);
    expect(rules.find('a__b')).toEqual({ decision: 'deny', ruleId: 'mcp:rules.1' });
  });

  it('looks up effect and decision each for itself, and falls back to the default', () => {
    const rules = new ToolRules('deny', [
      { tools: ['a__*'], decision: 'allow' },
      { tools: ['a__look'], effect: 'read' },
    ]);
    expect(rules.find('a__look')).toEqual({ decision: 'allow', ruleId: 'mcp:rules.0', effect: 'read' });
    expect(rules.find('b__look')).toEqual({ decision: 'deny', ruleId: 'mcp:default' });
  });
});

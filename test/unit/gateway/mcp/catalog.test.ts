import { describe, expect, it } from 'vitest';
import { Catalog } from '../../../../src/gateway/mcp/catalog.js';
import type { McpGatewayEvent, ServerOffer } from '../../../../src/gateway/mcp/port.js';

const inputSchema = { type: 'object' as const };

function offer(part: Partial<ServerOffer>): ServerOffer {
  return { tools: [], resources: [], templates: [], prompts: [], ...part };
}

function toolsOf(...names: string[]): ServerOffer {
  return offer({ tools: names.map((name) => ({ name, inputSchema })) });
}

describe('what all servers offer together', () => {
  it('shows pages that lose and repeat nothing while the list changes', () => {
    const catalog = new Catalog({ toolNameChars: 48, report: () => {} });
    const names = Array.from({ length: 450 }, (_, i) => `tool-${String(i).padStart(3, '0')}`);
    catalog.rebuild('tools', [{ name: 'a', offer: toolsOf(...names) }]);
    const first = catalog.toolPage(undefined, () => true);
    expect(first.tools).toHaveLength(200);
    // One that was shown goes, one that would have been shown comes.
    catalog.rebuild('tools', [{ name: 'a', offer: toolsOf(...names.slice(1), 'before') }]);
    const second = catalog.toolPage(first.nextCursor, () => true);
    const third = catalog.toolPage(second.nextCursor, () => true);
    expect(third.nextCursor).toBeUndefined();
    const shown = [...first.tools, ...second.tools, ...third.tools].map(({ name }) => name);
    expect(shown).toEqual(names.map((name) => `a__${name}`));
  });

  it('refuses a cursor that is none, and shows only what may be shown', () => {
    const catalog = new Catalog({ toolNameChars: 48, report: () => {} });
    catalog.rebuild('tools', [{ name: 'a', offer: toolsOf('one', 'two') }]);
    expect(() => catalog.toolPage('not-ours', () => true)).toThrow(RangeError);
    expect(catalog.toolPage(undefined, (name) => name === 'a__two')).toEqual({
      tools: [{ name: 'a__two', inputSchema }],
    });
  });

  it('gives a resource to the first server that has it, and reads through the longest template', () => {
    const said: McpGatewayEvent[] = [];
    const catalog = new Catalog({ toolNameChars: 48, report: (event) => said.push(event) });
    const resources = [{ uri: 'doc://one', name: 'one' }];
    catalog.rebuild('resources', [
      { name: 'a', offer: offer({ resources, templates: [{ uriTemplate: 'doc://{id}', name: 'any' }] }) },
      { name: 'b', offer: offer({ resources, templates: [{ uriTemplate: 'doc://deep/{id}', name: 'deep' }] }) },
      { name: 'c', offer: offer({ templates: [{ uriTemplate: '{everything}', name: 'greedy' }] }) },
    ]);
    expect(catalog.serverOf('doc://one')).toBe('a');
    expect(catalog.serverOf('doc://two')).toBe('a');
    expect(catalog.serverOf('doc://deep/two')).toBe('b');
    expect(catalog.serverOf('other://two')).toBeUndefined();
    const cause = 'the name or address is taken already';
    expect(said).toEqual([{ type: 'definition-left-out', server: 'b', kind: 'resources', count: 1, cause }]);
  });
});

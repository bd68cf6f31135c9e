import { describe, expect, it } from 'vitest';
import { readResources, readTools } from '../../../../src/gateway/mcp/offer.js';

const LIMITS = { entries: 5, definitionChars: 1_000 };
const inputSchema = { type: 'object' };

/** What is taken in, and why the rest is not. */
function read(values: readonly unknown[], limits = LIMITS) {
  const causes: string[] = [];
  const tools = readTools(values, limits, (_, cause) => causes.push(cause));
  return { tools, causes };
}

describe('what a server says of its tools', () => {
  it('takes the good ones in, whatever stands beside them', () => {
    const { tools, causes } = read([
      { name: 'good', inputSchema, description: 'does good' },
      { name: 'no-schema' },
      'no tool at all',
      { name: 'big', inputSchema, description: 'x'.repeat(2_000) },
      { name: 'good', inputSchema, description: 'a second one of the same name' },
    ]);
    expect(tools).toEqual([{ name: 'good', inputSchema, description: 'does good' }]);
    expect(causes.toSorted()).toEqual([
      'is longer than 1000 characters',
      'is named twice',
      'is not what the protocol says',
      'is not what the protocol says',
    ]);
  });

  it.each(['', 'x'.repeat(300), 'two\nlines', 'right\u202Eleft', '\uD800'])(
    'leaves out a tool that is called %j',
    (name) => {
      expect(read([{ name, inputSchema }])).toEqual({ tools: [], causes: ['has a name that cannot be shown'] });
    },
  );

  it('stops at the most that it takes', () => {
    const many = Array.from({ length: 9 }, (_, i) => ({ name: `tool-${i}`, inputSchema }));
    const { tools, causes } = read(many);
    expect([tools.length, causes]).toEqual([5, ['more than 5 entries']]);
  });

  it('takes out of descriptions what only a model would read', () => {
    const hidden = String.fromCodePoint(0xe006f, 0xe0062, 0xe0065, 0xe0079);
    const description = `Adds numbers.${hidden}\n  - first\n  - sec\u200bond`;
    const [tool] = read([{ name: 'add', inputSchema, description }]).tools;
    expect(tool?.description).toBe('Adds numbers.\n  - first\n- sec ond');
  });

  it('leaves out what can only be run as a task, and the mention of tasks from the rest', () => {
    const { tools, causes } = read([
      { name: 'only-as-task', inputSchema, execution: { taskSupport: 'required' } },
      { name: 'also-as-task', inputSchema, execution: { taskSupport: 'optional' } },
    ]);
    expect(tools).toEqual([{ name: 'also-as-task', inputSchema }]);
    expect(causes).toEqual(['needs tasks, which are not passed on']);
  });
});

describe('what a server says of its resources', () => {
  it('takes no address that cannot be shown', () => {
    const causes: string[] = [];
    const values = ['file:///a', 'file:///a\u0007', `file:///${'x'.repeat(3_000)}`].map((uri) => ({ uri, name: 'a' }));
    const resources = readResources(values, { entries: 5, definitionChars: 10_000 }, (_, cause) => causes.push(cause));
    expect(resources).toEqual([{ uri: 'file:///a', name: 'a' }]);
    expect(causes).toEqual(['has an address that cannot be shown', 'has an address that cannot be shown']);
  });
});

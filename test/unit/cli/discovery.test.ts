import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discovery } from '../../../src/cli/discovery.js';
import type { SeenDiscovery } from '../../../src/cli/discovery-answer.js';

const HOUR = 60 * 60_000;
const NOTHING = { items: [], total: 0 };
const QUIET: SeenDiscovery = {
  agents: 2,
  unnamedTools: 0,
  unknownAgents: NOTHING,
  undeclaredTools: NOTHING,
  unusedTools: NOTHING,
  unusedGrants: NOTHING,
  prohibitedTools: NOTHING,
  emptyClasses: [],
};
/** Clears the screen, hides what follows, and pretends to be a line of its own. */
const HOSTILE = '\u001b[2J\u202egood\nall observed is declared';

describe('parallax discovery', () => {
  let server: Server;
  let answer: SeenDiscovery = QUIET;
  let asked = '';

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked = request.url ?? '';
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.close();
    await once(server, 'close');
  });

  async function run(found: Partial<SeenDiscovery>, values: Record<string, string> = {}) {
    answer = { ...QUIET, ...found };
    let out = '';
    // A server listening on TCP has an address with a port.
    const { port } = server.address() as AddressInfo;
    const code = await discovery.run({
      values: { url: `http://127.0.0.1:${port}`, ...values },
      positionals: [],
      env: { PARALLAX_KEY: 'key' },
      console: { out: (text) => (out += text), err: () => {}, isTerminal: false },
    });
    expect(code).toBe(0);
    return out;
  }

  it('says so where there is nothing to tell, and asks for what it was told to', async () => {
    expect(await run({})).toBe('2 agents looked at; all observed is declared, all declared is used\n');
    expect(asked).toBe('/v1/discovery?limit=20');
    await run({}, { agent: 'a & b*', limit: '7' });
    expect(asked).toBe('/v1/discovery?limit=7&agent=a+%26+b*');
    await expect(run({}, { limit: 'all' })).rejects.toThrow('--limit must be a whole number');
  });

  it('tells of every list, how much more there is, and what was left out', async () => {
    const use = { agentId: 'a', agentClass: 'support', tool: 'shell', sessions: 2 };
    const grant = { agentId: 'a', tool: 'shell', approverId: '', authorised: false, ageMs: HOUR };
    const out = await run({
      unnamedTools: 3,
      emptyClasses: ['coding'],
      prohibitedTools: { items: [{ ...use, incidents: 1, binding: false }], total: 1 },
      unknownAgents: { items: [{ agentId: 'b', sessions: 1 }], total: 9 },
      undeclaredTools: { items: [{ ...use, granted: 'ended' }], total: 1 },
      unusedTools: { items: [{ agentClass: 'support', tool: 'fax.*', agents: 1 }], total: 1 },
      unusedGrants: {
        items: [
          { ...grant, standing: 'in-force' },
          { ...grant, ageMs: 72 * HOUR, approverId: 'eva', authorised: true, endsAt: HOUR, standing: 'expired' },
        ],
        total: 2,
      },
    });
    expect(out).toBe(`Prohibited tools that were used (1)
  shell by a (support): 1 incident, 2 learned sessions; tiers do not hold for its class

Agents that no profile names (9)
  b: 1 session learned, not seen since the observer started
  and 8 more

Tools in use that nothing declares (1)
  shell by a (support): 2 sessions, under a grant that has ended

Tools declared that no agent of the class uses (1)
  fax.* of class support (1 agent)

Grants that were never used (2)
  shell for a, by nobody named, who may not, 1 hour ago; does not end
  shell for a, by eva, 3 days ago; expired 1970-01-01 01:00 UTC

2 agents looked at
classes without any of them: coding
3 tools left out: an agent used more names than are kept
`);
  });

  it('shows nothing that an agent wrote in a way that a terminal would act on', async () => {
    const use = { agentId: HOSTILE, agentClass: HOSTILE, tool: HOSTILE, sessions: 1 };
    const out = await run({
      emptyClasses: [HOSTILE],
      prohibitedTools: { items: [{ ...use, incidents: 1, binding: true }], total: 1 },
      unknownAgents: { items: [{ agentId: HOSTILE, sessions: 1 }], total: 1 },
      undeclaredTools: { items: [{ ...use, granted: 'never' }], total: 1 },
      unusedTools: { items: [{ agentClass: HOSTILE, tool: HOSTILE, agents: 1 }], total: 1 },
      unusedGrants: {
        items: [
          {
            agentId: HOSTILE,
            tool: HOSTILE,
            approverId: HOSTILE,
            authorised: true,
            ageMs: 1,
            endsAt: 8.64e15,
            standing: 'ending',
          },
        ],
        total: 1,
      },
    });
    expect(Array.from(out).filter((char) => char !== '\n' && (char < ' ' || char === '\u202e'))).toEqual([]);
    expect(out.split('\n').filter((line) => line.startsWith('all observed'))).toEqual([]);
    expect(out).toContain('[2J good all observed is declared');
  });
});

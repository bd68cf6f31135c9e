import { describe, expect, it } from 'vitest';
import type { AgentUsage } from '../../../src/baseline/port.js';
import { discover, type ObservedSources } from '../../../src/governance/discovery.js';
import type { DiscoveryQuery, KeptGrant } from '../../../src/governance/port.js';
import { ReferenceLibrary } from '../../../src/governance/reference-library.js';
import { ManualClock } from '../../../src/lib/clock.js';
import type { Incident } from '../../../src/model/incident.js';
import { profileSchema, type InventoryTool } from '../../../src/model/profile.js';
import { sampleIncident, sampleSignal } from '../../support/samples.js';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
const NOW = 100 * DAY;

const INVENTORY: InventoryTool[] = [
  { name: 'crm.*', tier: 'autonomous' },
  { name: 'vault.*', tier: 'prohibited' },
  { name: 'vault.status', tier: 'autonomous' },
];
const library = new ReferenceLibrary(
  INVENTORY,
  new Map([
    ['support', profileSchema.parse({ agents: ['support-*'], tools: ['mail.reply', 'fax.*'], needsGrant: ['refund'] })],
    ['treasury', profileSchema.parse({ agents: ['treasury-*'], tools: ['wire'] })],
  ]),
  profileSchema.parse({ inventory: false }),
);

interface World {
  used?: Record<string, Record<string, number>>;
  grants?: Record<string, KeptGrant[]>;
  heard?: Record<string, number>;
  incidents?: Incident[];
}

function usageOf(tools: Record<string, number> | undefined): AgentUsage | undefined {
  if (tools === undefined) return undefined;
  return { sessions: Math.max(0, ...Object.values(tools)), tools: new Map(Object.entries(tools)), unnamedTools: 0 };
}

function sources({ used = {}, grants = {}, heard = {}, incidents = [] }: World): ObservedSources {
  const heardOf = (agentId: string) => {
    const heardAt = heard[agentId];
    return heardAt === undefined ? undefined : { heardAt };
  };
  return {
    library,
    baselines: { agents: () => Object.keys(used), usage: (_, agentId) => usageOf(used[agentId]) },
    grants: { agents: () => Object.keys(grants), grantsOf: (_, agentId) => grants[agentId] ?? [] },
    heard: { all: () => Object.keys(heard).map((agentId) => ({ agentId })), get: (_, agentId) => heardOf(agentId) },
    incidents: () => incidents,
    clock: new ManualClock(NOW),
  };
}

function grant(change: Partial<KeptGrant> = {}): KeptGrant {
  return {
    tool: 'refund',
    from: NOW - 3 * DAY,
    endsAt: Infinity,
    revoked: false,
    approverId: 'lead-anna',
    authorised: true,
    used: false,
    ...change,
  };
}

const run = (world: World, query: Partial<DiscoveryQuery> = {}) =>
  discover(sources(world), { tenant: 't', maySee: () => true, limit: 10, ...query });

describe('discover', () => {
  it('finds agents that no profile names, learned, heard of or granted something', async () => {
    const found = await run({
      used: { 'support-1': { 'mail.reply': 4 }, lost: { search: 3 }, stray: { search: 7 } },
      heard: { lost: 5_000, visitor: 6_000 },
      grants: { ghost: [grant()] },
    });
    expect(found.agents).toBe(5);
    expect(found.unknownAgents).toEqual({
      items: [
        { agentId: 'stray', sessions: 7 },
        { agentId: 'lost', sessions: 3, lastSeenAt: 5_000 },
        { agentId: 'ghost', sessions: 0 },
        { agentId: 'visitor', sessions: 0, lastSeenAt: 6_000 },
      ],
      total: 4,
    });
  });

  it('finds tools that neither the profile nor the inventory has, and whether they were granted', async () => {
    const found = await run({
      used: {
        'support-1': { 'mail.reply': 9, 'crm.read': 9, refund: 2, shell: 3, scp: 2, ftp: 1 },
        lost: { 'crm.read': 1, shell: 1 },
      },
      grants: {
        'support-1': [
          grant({ tool: 'scp' }),
          grant({ tool: 'ftp', endsAt: NOW - HOUR }),
          grant({ tool: 'shell', authorised: false }),
        ],
      },
    });
    expect(found.undeclaredTools.items).toEqual([
      { agentId: 'support-1', agentClass: 'support', tool: 'shell', sessions: 3, granted: 'never' },
      { agentId: 'support-1', agentClass: 'support', tool: 'scp', sessions: 2, granted: 'in-force' },
      { agentId: 'lost', agentClass: 'default', tool: 'shell', sessions: 1, granted: 'never' },
      { agentId: 'support-1', agentClass: 'support', tool: 'ftp', sessions: 1, granted: 'ended' },
    ]);
  });

  it('finds declared tools that no agent of the class uses, and classes without agents', async () => {
    const found = await run({ used: { 'support-1': { search: 1 }, 'support-2': { 'mail.reply': 1 } } });
    expect(found.unusedTools).toEqual({ items: [{ agentClass: 'support', tool: 'fax.*', agents: 2 }], total: 1 });
    expect(found.emptyClasses).toEqual(['treasury']);
    const faxed = await run({ used: { 'support-1': { 'fax.send': 1, 'mail.reply': 1 } } });
    expect(faxed.unusedTools).toEqual({ items: [], total: 0 });
  });

  it('finds grants that nothing was done under, oldest first; not those taken back, used or yet to begin', async () => {
    const found = await run({
      grants: {
        'support-1': [
          grant(),
          grant({ tool: 'scp', endsAt: NOW + HOUR }),
          grant({ tool: 'ftp', from: NOW - 9 * DAY, endsAt: NOW - DAY, approverId: '', authorised: false }),
          grant({ tool: 'a', used: true }),
          grant({ tool: 'b', revoked: true, endsAt: NOW - HOUR }),
          grant({ tool: 'c', from: NOW + HOUR }),
        ],
      },
    });
    const by = { agentId: 'support-1', approverId: 'lead-anna', authorised: true, grantedAt: NOW - 3 * DAY };
    const nobody = { agentId: 'support-1', approverId: '', authorised: false, grantedAt: NOW - 9 * DAY };
    expect(found.unusedGrants.items).toEqual([
      { ...nobody, tool: 'ftp', ageMs: 9 * DAY, endsAt: NOW - DAY, standing: 'expired' },
      { ...by, tool: 'refund', ageMs: 3 * DAY, standing: 'in-force' },
      { ...by, tool: 'scp', ageMs: 3 * DAY, endsAt: NOW + HOUR, standing: 'ending' },
    ]);
  });

  it('finds prohibited tools in learned sessions and in incidents, which are not learned', async () => {
    const signal = sampleSignal({ agentId: 'support-1', tool: 'vault.read', violation: true });
    const found = await run({
      used: { lost: { 'vault.read': 2, 'vault.status': 5 } },
      incidents: [
        sampleIncident({ signals: [signal, signal] }),
        sampleIncident({ signals: [signal, { ...signal, tool: 'shell' }] }),
        sampleIncident({ signals: [{ ...signal, violation: false }] }),
      ],
    });
    expect(found.prohibitedTools.items).toEqual([
      { agentId: 'support-1', agentClass: 'support', tool: 'vault.read', sessions: 0, incidents: 2, binding: true },
      { agentId: 'lost', agentClass: 'default', tool: 'vault.read', sessions: 2, incidents: 0, binding: false },
    ]);
  });

  it('looks only at agents that were asked for and may be seen', async () => {
    const world = { used: { 'support-1': { shell: 1 }, 'support-2': { shell: 1 }, lost: { shell: 1 } } };
    const agentsOf = async (query: Partial<DiscoveryQuery>) => {
      const { undeclaredTools, agents } = await run(world, query);
      expect(agents).toBe(undeclaredTools.total);
      return undeclaredTools.items.map(({ agentId }) => agentId);
    };
    expect(await agentsOf({ agent: 'lost' })).toEqual(['lost']);
    expect(await agentsOf({ agent: 'support-*' })).toEqual(['support-1', 'support-2']);
    expect(await agentsOf({ agent: 'nobody' })).toEqual([]);
    expect(await agentsOf({ agent: 'support-*', maySee: (agentId) => agentId !== 'support-1' })).toEqual(['support-2']);
  });

  it('says how many there are beyond its limit, and lets others have their turn among many agents', async () => {
    const used = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, n) => [`agent-${n}`, { [`tool-${n}`]: 1 + (n % 50) }]),
    );
    let turns = 0;
    let isOver = false;
    const others = () => {
      turns++;
      if (!isOver) setImmediate(others);
    };
    setImmediate(others);
    const found = await run({ used }, { limit: 3 });
    isOver = true;
    expect(turns).toBeGreaterThan(100);
    expect(found.unknownAgents).toEqual({
      items: ['agent-1049', 'agent-1099', 'agent-1149'].map((agentId) => ({ agentId, sessions: 50 })),
      total: 10_000,
    });
    expect([found.undeclaredTools.items.length, found.undeclaredTools.total]).toEqual([3, 10_000]);
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Entitlements } from '../../../src/governance/entitlements.js';
import { libraryOfCase } from '../../../src/governance/library-loader.js';
import type { GovernanceKind, GovernanceObservation, ToolCallObservation } from '../../../src/model/observation.js';
import { memoryStore, type MemoryStore } from '../../support/memory-store.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const library = libraryOfCase({
  tools: [{ name: 'wire', tier: 'approval' }],
  profile: {
    needsGrant: ['export*'],
    approvers: [{ id: 'lead-*', mayApprove: ['wire', 'export*'] }],
    learningWindow: { hours: 2, calls: 3 },
  },
});

let ids = 0;
const base = (time: number, agentId: string) => ({
  id: `o${++ids}`,
  schemaVersion: 1 as const,
  time,
  observedAt: time,
  tenant: 't',
  agentId,
});

function event(
  kind: GovernanceKind,
  time: number,
  more: Partial<GovernanceObservation> = {},
  agentId = 'a',
): GovernanceObservation {
  return { ...base(time, agentId), principalId: 'control', stream: 'governance', kind, tools: [], ...more };
}

function call(time: number, more: Partial<ToolCallObservation> = {}, agentId = 'a'): ToolCallObservation {
  return {
    ...base(time, agentId),
    principalId: 'gateway',
    stream: 'action',
    kind: 'tool_call',
    tool: 'wire',
    effect: 'write',
    targets: [],
    argWords: [],
    argBytes: 0,
    decision: 'allow',
    ...more,
  };
}

function open(store: MemoryStore = memoryStore(), maxAgents = 100): Entitlements {
  const entitlements = new Entitlements({ library, maxAgents, load: store.load, entries: store.entries });
  entitlements.restore();
  return entitlements;
}

const grant = (time: number, more: Partial<GovernanceObservation> = {}, agentId = 'a') =>
  event('grant', time, { tool: 'wire', approverId: 'lead-anna', ...more }, agentId);

describe('grants', () => {
  it('hold from their beginning to their end in event time, whatever the order of arrival', () => {
    const entitlements = open();
    entitlements.apply(grant(20_000, { expiresAt: 30_000 }));
    entitlements.apply(grant(5_000, { expiresAt: 10_000 }));
    const at = (time: number) => entitlements.at(call(time)).grant;
    expect([at(4_999), at(5_000), at(9_999), at(10_000), at(20_000), at(30_000)].map(({ active }) => active)).toEqual([
      false,
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(at(4_999).expired).toBe(false);
    expect(at(12_000)).toMatchObject({ expired: true, expiredMs: 2_000 });
    expect(at(25_000)).toMatchObject({ active: true, authorised: true, ageMs: 5_000, by: 'lead-anna' });
    expect(entitlements.at(call(25_000, { tool: 'export_all' })).grant.active).toBe(false);
    expect(entitlements.at(call(25_000, {}, 'b')).grant.active).toBe(false);
  });

  it('end when revoked, also where the revocation comes first', () => {
    const entitlements = open();
    entitlements.apply(event('grant_revoked', 8_000, { tool: 'wire' }));
    entitlements.apply(grant(1_000));
    expect(entitlements.at(call(7_999)).grant.active).toBe(true);
    expect(entitlements.at(call(8_000)).grant).toMatchObject({ active: false, expired: true });
    entitlements.apply(grant(9_000));
    expect(entitlements.at(call(9_000)).grant.active).toBe(true);
    entitlements.apply(event('grant_revoked', 10_000));
    expect(entitlements.at(call(11_000)).grant.active).toBe(false);
  });

  it('are worth something only from those who may give them', () => {
    const authorised = (more: Partial<GovernanceObservation>) => {
      const entitlements = open();
      entitlements.apply(grant(0, more));
      return entitlements.at(call(1)).grant.authorised;
    };
    expect(authorised({})).toBe(true);
    expect(authorised({ approverId: 'visitor' })).toBe(false);
    expect(authorised({ requesterId: 'lead-anna' })).toBe(false);
    expect(authorised({ approverId: 'a' })).toBe(false);
    expect(authorised({ parentAgentId: 'lead-anna' })).toBe(false);
  });

  it('take their approver from the approval they refer to', () => {
    const entitlements = open();
    entitlements.apply(event('approval', 0, { approvalId: 'x', approverId: 'lead-eva' }));
    const { approverId: _, ...unnamed } = grant(1, { approvalId: 'x' });
    entitlements.apply(unnamed);
    expect(entitlements.at(call(2)).grant).toMatchObject({ authorised: true, by: 'lead-eva' });
  });

  it('are kept with whether anything was executed under them, over a restart too', () => {
    const store = memoryStore();
    const before = open(store);
    before.apply(grant(1_000, { tools: ['wire', 'export_all', 'export_some'] }));
    before.apply(call(2_000, { tool: 'wire', decision: 'deny' }));
    before.apply(call(2_000, { tool: 'export_all', error: 'unreachable' }));
    before.apply(call(900, { tool: 'wire' }));
    before.apply(call(2_000, { tool: 'export_some' }));
    before.apply(event('grant_revoked', 5_000, { tool: 'export_all' }));
    before.apply(grant(1_000, {}, 'tt/a'));
    store.commit(before);
    const kept = open(store);
    expect([[...kept.agents('t')], [...kept.agents('tt')]]).toEqual([['a', 'tt/a'], []]);
    const by = { from: 1_000, approverId: 'lead-anna', authorised: true };
    expect(kept.grantsOf('t', 'a').sort((a, b) => (a.tool < b.tool ? -1 : 1))).toEqual([
      { ...by, tool: 'export_all', endsAt: 5_000, revoked: true, used: false },
      { ...by, tool: 'export_some', endsAt: Infinity, revoked: false, used: true },
      { ...by, tool: 'wire', endsAt: Infinity, revoked: false, used: false },
    ]);
    kept.apply(call(3_000));
    expect(kept.grantsOf('t', 'a').find(({ tool }) => tool === 'wire')?.used).toBe(true);
    expect(kept.grantsOf('t', 'nobody')).toEqual([]);
  });

  it('of many tools and many times stay bounded, and what gives way is counted', () => {
    const entitlements = open();
    for (let i = 0; i < 500; i++) entitlements.apply(grant(i, { tool: `tool-${i}` }));
    for (let i = 0; i < 10; i++) entitlements.apply(grant(1_000 + i));
    expect(entitlements.at(call(2_000, { tool: 'tool-0' })).grant.active).toBe(false);
    expect(entitlements.at(call(2_000, { tool: 'tool-499' })).grant.active).toBe(true);
    expect(entitlements.stats().entriesEvicted).toBe(500 - 64 + 1 + 6);
  });
});

describe('the learning window', () => {
  it('opens by a proper grant, says since when and by whom, and closes by time', () => {
    const entitlements = open();
    entitlements.apply(grant(0));
    expect(entitlements.at(call(MINUTE)).learning?.note).toBe('damped: granted 1 min ago by lead-anna');
    expect(entitlements.at(call(2 * HOUR - 1)).learning).toBeDefined();
    expect(entitlements.at(call(2 * HOUR)).learning).toBeUndefined();
    expect(entitlements.at(call(MINUTE, { tool: 'export_all' })).learning).toBeUndefined();
    expect(entitlements.at(call(MINUTE, {}, 'b')).learning).toBeUndefined();
  });

  it('closes by the number of calls', () => {
    const entitlements = open();
    entitlements.apply(grant(0));
    const seen = [1, 2, 3, 4].map((time) => {
      const one = call(time);
      const { learning } = entitlements.at(one);
      entitlements.apply(one);
      return learning !== undefined;
    });
    expect(seen).toEqual([true, true, true, false]);
    expect(entitlements.at(call(5)).grant.active).toBe(true);
  });

  it('opens by an approved change and by no other, for the tools it names and no others', () => {
    const kinds = fc.constantFrom('grant' as const, 'scope_change' as const);
    const people = fc.constantFrom('lead-anna', 'lead-ben', 'visitor', 'a', '');
    const names = ['wire', 'export_all', 'export_some', 'read'];
    const tools = fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 });
    fc.assert(
      fc.property(kinds, people, people, tools, (kind, approverId, requesterId, granted) => {
        const entitlements = open();
        entitlements.apply(event(kind, 0, { tools: granted, approverId, requesterId }));
        const approved = approverId.startsWith('lead-') && approverId !== requesterId;
        for (const tool of names) {
          const { learning } = entitlements.at(call(MINUTE, { tool }));
          const isOpen = approved && tool !== 'read' && granted.includes(tool);
          expect(learning?.note).toBe(isOpen ? `damped: granted 1 min ago by ${approverId}` : undefined);
        }
      }),
    );
  });

  it('stays shut where the approval came after the act', () => {
    const entitlements = open();
    entitlements.apply(call(0, { approvalId: 'x1' }));
    entitlements.apply(grant(MINUTE, { approvalId: 'x1' }));
    expect(entitlements.at(call(2 * MINUTE)).learning).toBeUndefined();
    expect(entitlements.at(call(2 * MINUTE)).grant.authorised).toBe(false);
  });

  it('stays shut without a proper grant, and shuts with it', () => {
    const shut = (more: Partial<GovernanceObservation>) => {
      const entitlements = open();
      entitlements.apply(grant(0, more));
      return entitlements.at(call(10)).learning === undefined;
    };
    expect(shut({ approverId: 'visitor' })).toBe(true);
    expect(shut({ requesterId: 'lead-anna' })).toBe(true);
    expect(shut({ expiresAt: 10 })).toBe(true);
    const entitlements = open();
    entitlements.apply(grant(0));
    entitlements.apply(event('grant_revoked', 5, { tool: 'wire' }));
    expect(entitlements.at(call(10)).learning).toBeUndefined();
  });
});

describe('approvals', () => {
  it('are good for the call that names them, before it and not long after', () => {
    const entitlements = open();
    entitlements.apply(
      event('approval', 10_000, { approvalId: 'x', approverId: 'lead-a', tool: 'wire', expiresAt: HOUR }),
    );
    const at = (time: number, more: Partial<ToolCallObservation> = {}) =>
      entitlements.at(call(time, { approvalId: 'x', ...more })).approval;
    expect(at(11_000)).toMatchObject({ known: true, authorised: true, afterAct: false, by: 'lead-a' });
    expect(at(6_000)).toMatchObject({ authorised: true, afterAct: false });
    expect(at(1_000)).toMatchObject({ authorised: false, afterAct: true, lateMs: 9_000 });
    expect(at(HOUR)).toMatchObject({ known: true, authorised: false });
    expect(at(11_000, { tool: 'export_all' }).authorised).toBe(false);
    expect(at(11_000, { approvalId: 'y' }).known).toBe(false);
  });

  it('are counted by person within a minute of event time', () => {
    const entitlements = open();
    const recent = (time: number, approverId = 'lead-a') => {
      const one = event('approval', time, { approvalId: `r${time}`, approverId });
      const { recentByApprover } = entitlements.at(one).approval;
      entitlements.apply(one);
      return recentByApprover;
    };
    expect([0, 20_000, 59_999, 60_000, 130_000].map((time) => recent(time))).toEqual([1, 2, 3, 3, 1]);
    expect(recent(130_000, 'lead-b')).toBe(1);
  });
});

describe('policy versions', () => {
  const decided = (time: number, version: string, emitter = 'gateway', agentId = 'a') =>
    call(time, { policyVersion: version, principalId: emitter }, agentId);

  it('differ from what was announced for the agent, or for all', () => {
    const entitlements = open();
    entitlements.apply(event('policy_version', 100, { policyVersion: 'v1' }, '*'));
    expect(entitlements.at(decided(200, 'v0', 'g', 'b')).policy).toEqual({
      differs: true,
      behindMs: 100,
      expected: 'v1',
    });
    entitlements.apply(event('policy_version', 300, { policyVersion: 'v2' }));
    expect(entitlements.at(decided(400, 'v1')).policy.differs).toBe(true);
    expect(entitlements.at(decided(400, 'v1', 'g', 'b')).policy.differs).toBe(false);
    expect(entitlements.at(decided(400, 'v2')).policy.differs).toBe(false);
    expect(entitlements.at(decided(200, 'v1')).policy.differs).toBe(false);
  });

  it('differ from what another gateway moved on to', () => {
    const entitlements = open();
    for (const emitter of ['g1', 'g2']) entitlements.apply(decided(1, 'v1', emitter));
    expect(entitlements.at(decided(2, 'v1', 'g2')).policy.differs).toBe(false);
    entitlements.apply(decided(10, 'v2', 'g1'));
    expect(entitlements.at(decided(30, 'v1', 'g2')).policy).toEqual({ differs: true, behindMs: 20, expected: 'v2' });
    expect(entitlements.at(decided(30, 'v2', 'g2')).policy.differs).toBe(false);
  });

  it('of a gateway that decides by several at once say nothing about others', () => {
    const entitlements = open();
    for (let i = 0; i < 6; i++) entitlements.apply(decided(i, i % 2 === 0 ? 'pay-1' : 'mail-1', 'g1'));
    expect(entitlements.at(decided(10, 'pay-1', 'g2')).policy.differs).toBe(false);
    expect(entitlements.at(decided(10, 'mail-1', 'g2')).policy.differs).toBe(false);
  });
});

describe('the state', () => {
  it('is the same after a restart at any place', () => {
    const story = Array.from({ length: 60 }, (_, i) => {
      const agentId = `a${i % 7}`;
      if (i % 5 === 0) return event('grant', i, { tool: 'wire', approverId: 'lead-a', expiresAt: i + 25 }, agentId);
      if (i % 5 === 1) return event('approval', i, { approvalId: `x${i}`, approverId: 'lead-a' }, agentId);
      if (i % 11 === 0) return event('grant_revoked', i, { tool: 'wire' }, agentId);
      if (i % 13 === 0) return event('posture_change', i, { posture: `p${i}` }, agentId);
      return call(i, { approvalId: `x${i - 1}`, policyVersion: `v${Math.floor(i / 20)}` }, agentId);
    });
    const factsOf = (entitlements: Entitlements, one: (typeof story)[number]) => {
      const { library: _, ...facts } = entitlements.at(one);
      entitlements.apply(one);
      return facts;
    };
    const whole = open(memoryStore(), 5);
    const expected = story.map((one) => factsOf(whole, one));
    for (const every of [1, 3, 17]) {
      const store = memoryStore();
      let entitlements = open(store, 5);
      const facts = story.map((one, i) => {
        if (i % every === 0) {
          store.commit(entitlements);
          entitlements = open(store, 5);
        }
        return factsOf(entitlements, one);
      });
      expect(facts).toEqual(expected);
    }
    expect(whole.stats().agentsEvicted).toBeGreaterThan(0);
  });
});

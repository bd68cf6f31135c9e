import { describe, expect, it } from 'vitest';
import { RestrictionCache } from '../../../src/gateway/restriction-cache.js';
import { ManualClock } from '../../../src/lib/clock.js';
import type { Restriction } from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/observation.js';

const NOW = 1_000_000;
const LATER = NOW + 60_000;

function restriction(agentId: string, version: number, sessions: string[], tools: string[] = []): Restriction {
  return {
    tenant: 'default',
    agentId,
    version,
    revokedSessions: sessions.map((sessionId) => entry(`c-${sessionId}`, { sessionId })),
    frozenTools: tools.map((tool) => entry(`c-${tool}`, { tool })),
  };
}

/** In these tests the version is the place as well. */
function take(cache: RestrictionCache, one: Restriction) {
  return cache.replaceAgent(one, one.version);
}

function entry<T extends object>(commandId: string, subject: T) {
  return { ...subject, commandId, expiresAt: LATER, reason: 'unusual' };
}

function find(
  cache: RestrictionCache,
  agentId: string,
  sessionId: string | undefined,
  tool: string,
  effect: Effect = 'write',
) {
  return cache.find({ agentId, sessionId, tool, effect });
}

function cacheOf(capacity = 100) {
  const clock = new ManualClock(NOW);
  return { clock, cache: new RestrictionCache({ capacity, clock }) };
}

describe('RestrictionCache', () => {
  it('finds revoked sessions and frozen tools of the agent, and of no other', () => {
    const { cache } = cacheOf();
    take(cache, restriction('a', 1, ['s1'], ['pay']));
    expect(find(cache, 'a', 's1', 'read')).toEqual({
      commandId: 'c-s1',
      reason: 'this session is revoked until 1970-01-01 00:17 UTC: unusual',
      restriction: 'revoke-session',
      decision: 'deny',
    });
    expect(find(cache, 'a', 's2', 'pay')?.restriction).toBe('freeze-tool');
    expect(find(cache, 'a', undefined, 'pay')?.commandId).toBe('c-pay');
    expect(find(cache, 'a', 's2', 'read')).toBeUndefined();
    expect(find(cache, 'b', 's1', 'pay')).toBeUndefined();
  });

  it('ends a restriction at its expiry without being told', () => {
    const { cache, clock } = cacheOf();
    take(cache, restriction('a', 1, ['s1']));
    clock.advance(60_000);
    expect(find(cache, 'a', 's1', 'read')).toBeUndefined();
  });

  it('never goes back to what was true before, even when nothing is in force any more', () => {
    const { cache } = cacheOf();
    take(cache, restriction('a', 5, ['s1']));
    expect(take(cache, restriction('a', 4, [])).heldSequence).toBe(5);
    expect(find(cache, 'a', 's1', 'read')).toBeDefined();
    expect(take(cache, restriction('a', 6, [])).lifted).toEqual(['c-s1']);
    expect(take(cache, restriction('a', 5, ['s1'])).heldSequence).toBe(6);
    expect(find(cache, 'a', 's1', 'read')).toBeUndefined();
  });

  it('replaces everything by a full state, but loosens nothing by the state of an observer that went back', () => {
    const { cache } = cacheOf();
    take(cache, restriction('a', 5, ['s1']));
    take(cache, restriction('b', 5, ['s2']));
    const older = cache.replaceAll([restriction('c', 1, ['s3']), restriction('b', 2, [])], {
      sequence: 2,
      wentBack: true,
    });
    expect(older.lifted).toEqual([]);
    expect([find(cache, 'a', 's1', 'x'), find(cache, 'b', 's2', 'x'), find(cache, 'c', 's3', 'x')]).not.toContain(
      undefined,
    );
    // What it has forgotten stays over its next states too, and ends by a change of the same agent.
    const newer = cache.replaceAll([restriction('b', 6, ['s9'])], { sequence: 6, wentBack: false });
    expect(newer.inForce).toEqual(['c-s9']);
    expect(newer.lifted).toEqual(['c-s3']);
    expect(find(cache, 'a', 's1', 'x')).toBeDefined();
    expect(take(cache, restriction('b', 7, ['s9'])).lifted).toEqual(['c-s2']);
    expect(take(cache, restriction('a', 8, [])).lifted).toEqual(['c-s1']);
    expect(cache.size).toBe(1);
  });

  it('lets no full state that comes late, nor a change from before the newest, bring anything back', () => {
    const { cache } = cacheOf();
    cache.replaceAll([], { sequence: 8, wentBack: false });
    const late = cache.replaceAll([restriction('a', 4, ['s1'])], { sequence: 4, wentBack: false });
    expect(late).toEqual({ inForce: [], lifted: [], rejected: [] });
    expect(take(cache, restriction('a', 6, ['s1'])).heldSequence).toBe(8);
    expect(find(cache, 'a', 's1', 'x')).toBeUndefined();
  });

  it('keeps what a command added after the state, of an agent that the state does not name', () => {
    const { cache } = cacheOf();
    const command = { id: 'c-s1', agentId: 'a', sessionId: 's1', reason: '', expiresAt: LATER, dryRun: false };
    cache.tighten({ ...command, action: 'revoke-session', state: 'sent' }, 9);
    expect(cache.replaceAll([restriction('b', 1, ['s2'])], { sequence: 8, wentBack: false }).lifted).toEqual([]);
    expect(find(cache, 'a', 's1', 'x')).toBeDefined();
    expect(cache.replaceAll([], { sequence: 9, wentBack: false }).lifted.sort()).toEqual(['c-s1', 'c-s2']);
    expect(cache.size).toBe(0);
  });

  it('tightens by a single command at once, and never again after it was lifted', () => {
    const { cache } = cacheOf();
    const command = {
      id: 'c-s1',
      action: 'revoke-session' as const,
      agentId: 'a',
      sessionId: 's1',
      reason: 'unusual',
      expiresAt: LATER,
      dryRun: false,
      state: 'sent' as const,
    };
    expect(cache.tighten(command, 1).inForce).toEqual(['c-s1']);
    expect(find(cache, 'a', 's1', 'x')).toBeDefined();
    take(cache, restriction('a', 2, []));
    expect(cache.tighten(command, 1).inForce).toEqual([]);
    expect(find(cache, 'a', 's1', 'x')).toBeUndefined();
  });

  it('keeps a session revoked while one of two commands on it remains', () => {
    const { cache } = cacheOf();
    const both = restriction('a', 1, ['s1']);
    both.revokedSessions.push(entry('c-other', { sessionId: 's1' }));
    expect(take(cache, both).inForce).toEqual(['c-s1', 'c-other']);
    expect(take(cache, restriction('a', 2, ['s1'])).lifted).toEqual(['c-other']);
    expect(find(cache, 'a', 's1', 'x')?.commandId).toBe('c-s1');
  });

  it('refuses a new restriction when full rather than breaking an old one; expired ones make room', () => {
    const { cache, clock } = cacheOf(2);
    expect(take(cache, restriction('a', 1, ['s1', 's2', 's3']))).toMatchObject({
      inForce: ['c-s1', 'c-s2'],
      rejected: ['c-s3'],
    });
    expect(cache.size).toBe(2);
    clock.advance(60_000);
    const fresh = restriction('b', 1, ['s4']);
    for (const r of fresh.revokedSessions) r.expiresAt = LATER + 60_000;
    expect(take(cache, fresh).inForce).toEqual(['c-s4']);
    expect(cache.size).toBe(1);
  });

  it('knows what hits a whole agent: a suspension, and a lowered posture that spares reading', () => {
    const { cache, clock } = cacheOf();
    const lowered = { ...restriction('a', 1, []), downgrades: [entry('c-approval', { posture: 'approval' as const })] };
    expect(take(cache, lowered).inForce).toEqual(['c-approval']);
    expect(find(cache, 'a', 's1', 'pay')).toMatchObject({ decision: 'hold', restriction: 'downgrade-posture' });
    expect(find(cache, 'a', 's1', 'pay', 'read')).toBeUndefined();
    const stricter = [...lowered.downgrades, entry('c-read', { posture: 'read-only' as const })];
    take(cache, { ...lowered, version: 2, downgrades: stricter });
    expect(find(cache, 'a', 's1', 'pay', 'unknown')).toMatchObject({ decision: 'deny', commandId: 'c-read' });
    take(cache, { ...lowered, version: 3, downgrades: stricter, suspensions: [entry('c-off', {})] });
    expect(cache.size).toBe(3);
    expect(find(cache, 'a', undefined, 'look', 'read')).toMatchObject({ decision: 'deny', commandId: 'c-off' });
    expect(take(cache, { ...lowered, version: 4 }).lifted.sort()).toEqual(['c-off', 'c-read']);
    expect(find(cache, 'a', 's1', 'pay')?.decision).toBe('hold');
    clock.advance(60_000);
    expect(find(cache, 'a', 's1', 'pay')).toBeUndefined();
  });

  it('keeps an agent suspended while one of two suspensions remains', () => {
    const { cache } = cacheOf();
    const twice = [entry('c-1', {}), { ...entry('c-2', {}), expiresAt: LATER + 5 }];
    take(cache, { ...restriction('a', 1, []), suspensions: twice });
    expect(take(cache, { ...restriction('a', 2, []), suspensions: twice.slice(0, 1) }).lifted).toEqual(['c-2']);
    expect(find(cache, 'a', 's1', 'x')?.commandId).toBe('c-1');
  });

  it('suspends by the single command at once', () => {
    const { cache } = cacheOf();
    const command = {
      id: 'c-off',
      agentId: 'a',
      reason: 'odd',
      expiresAt: LATER,
      dryRun: false,
      state: 'sent' as const,
    };
    expect(cache.tighten({ ...command, action: 'suspend-agent' }, 1).inForce).toEqual(['c-off']);
    expect(find(cache, 'a', 's1', 'x', 'read')?.restriction).toBe('suspend-agent');
    expect(find(cache, 'b', 's1', 'x')).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import type { Command, CommandAction, Restriction } from '../../../src/model/command.js';
import { applyCommand, noRestriction, restrictionOn, type RestrictedCall } from '../../../src/respond/restrictions.js';

const NOW = 1_000_000;
const LATER = NOW + 60_000;

function command(action: CommandAction, change: Partial<Command> = {}): Command {
  return {
    id: `cmd_${action}`,
    tenant: 't',
    action,
    agentId: 'a',
    reason: 'odd',
    issuedAt: NOW,
    expiresAt: LATER,
    dryRun: false,
    state: 'sent',
    acknowledgements: [],
    issuedBy: 'ann',
    ...change,
  };
}

const SUSPEND = command('suspend-agent');
const REVOKE = command('revoke-session', { sessionId: 's1' });
const FREEZE = command('freeze-tool', { tool: 'pay' });
const READ_ONLY = command('downgrade-posture', { id: 'cmd_read', posture: 'read-only' });
const APPROVAL = command('downgrade-posture', { id: 'cmd_approval', posture: 'approval' });

function restricted(...commands: Command[]): Restriction {
  return commands.reduce((held, one) => applyCommand(held, one, NOW), noRestriction('t', 'a'));
}

const write: RestrictedCall = { sessionId: 's1', tool: 'pay', effect: 'write' };
const read: RestrictedCall = { sessionId: 's1', tool: 'pay', effect: 'read' };

describe('restrictionOn', () => {
  it.each([
    ['a suspension refuses everything', [SUSPEND], read, 'deny', 'this agent is suspended until'],
    ['a revoked session refuses everything', [REVOKE], read, 'deny', 'this session is revoked until'],
    ['a frozen tool refuses reading too', [FREEZE], read, 'deny', 'this tool is frozen for this agent until'],
    ['read-only refuses a write', [READ_ONLY], write, 'deny', 'this agent may only read until'],
    ['the approval posture holds a write', [APPROVAL], write, 'hold', 'this agent needs approval for everything'],
    ['and what nobody knows the effect of', [APPROVAL], { ...write, effect: 'unknown' }, 'hold', 'needs approval'],
  ] as const)('%s', (_, commands, call, strength, reason) => {
    const found = restrictionOn(restricted(...commands), call, NOW);
    expect(found).toMatchObject({ strength, reason: expect.stringContaining(reason) });
    expect(found?.reason).toMatch(/1970-01-01 00:17 UTC: odd$/);
  });

  it('lets reading pass under a lowered posture, and other sessions and tools under a narrower command', () => {
    expect(restrictionOn(restricted(APPROVAL, READ_ONLY), read, NOW)).toBeUndefined();
    const other = { sessionId: 's2', tool: 'mail', effect: 'write' } as const;
    expect(restrictionOn(restricted(REVOKE, FREEZE), other, NOW)).toBeUndefined();
  });

  it('gives the strictest, whatever came first', () => {
    const all = [APPROVAL, READ_ONLY, FREEZE, REVOKE, SUSPEND];
    const wanted = all.map(({ id }) => id);
    while (all.length > 0) {
      for (const order of [all, all.toReversed()]) {
        expect(restrictionOn(restricted(...order), write, NOW)?.commandId).toBe(wanted.at(-1));
      }
      all.pop();
      wanted.pop();
    }
  });

  it('counts nothing that has expired, though nobody has cleared it away', () => {
    const held = restricted(READ_ONLY, { ...APPROVAL, expiresAt: LATER + 1 });
    expect(restrictionOn(held, write, LATER)?.commandId).toBe('cmd_approval');
    expect(restrictionOn(held, write, LATER + 1)).toBeUndefined();
  });
});

describe('applyCommand', () => {
  it('takes one of two suspensions away and keeps the other', () => {
    const second = { ...SUSPEND, id: 'cmd_2' };
    const after = applyCommand(restricted(SUSPEND, second), { ...SUSPEND, state: 'undone' }, NOW);
    expect(restrictionOn(after, read, NOW)?.commandId).toBe('cmd_2');
    const free = applyCommand(after, { ...second, state: 'expired' }, NOW);
    expect(free).toEqual({ tenant: 't', agentId: 'a', version: free.version, revokedSessions: [], frozenTools: [] });
  });

  it.each(['proposed', 'approved', 'rejected', 'expired', 'undone'] as const)('restricts nobody while %s', (state) => {
    const before = noRestriction('t', 'a');
    expect(applyCommand(before, { ...SUSPEND, state }, NOW)).toBe(before);
  });

  it('restricts nobody by a dry run', () => {
    const before = noRestriction('t', 'a');
    expect(applyCommand(before, { ...SUSPEND, dryRun: true }, NOW)).toBe(before);
  });

  it('lets the ones that end first give way, and says how many', () => {
    let evicted = 0;
    let held = noRestriction('t', 'a');
    for (let i = 0; i < 1_003; i++) {
      const one = { ...REVOKE, id: `cmd_${i}`, sessionId: `s${i}`, expiresAt: LATER + i };
      held = applyCommand(held, one, NOW, (count) => (evicted += count));
    }
    expect([held.revokedSessions.length, evicted]).toEqual([1_000, 3]);
    expect(restrictionOn(held, { ...read, sessionId: 's2' }, NOW)).toBeUndefined();
    expect(restrictionOn(held, { ...read, sessionId: 's3' }, NOW)).toBeDefined();
  });
});

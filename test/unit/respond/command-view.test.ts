import { describe, expect, it } from 'vitest';
import type { Command, Restriction } from '../../../src/model/command.js';
import type { OutboxEntry } from '../../../src/model/effect.js';
import { CommandView } from '../../../src/respond/command-view.js';

const COMMAND: Command = {
  id: 'cmd_1',
  tenant: 't',
  action: 'revoke-session',
  agentId: 'a',
  sessionId: 's',
  reason: 'r',
  issuedAt: 1,
  expiresAt: 9,
  dryRun: false,
  state: 'sent',
  acknowledgements: [],
  issuedBy: 'policy',
};

function restriction(change: Partial<Restriction> = {}): Restriction {
  const revoked = { sessionId: 's', commandId: 'cmd_1', expiresAt: 9, reason: 'r' };
  return { tenant: 't', agentId: 'a', version: 1, revokedSessions: [revoked], frozenTools: [], ...change };
}

function entries(first: number, count: number): OutboxEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    sequence: first + i,
    effect: { type: 'restriction', value: restriction({ version: first + i }) },
  }));
}

describe('CommandView', () => {
  it('shows the full state and every change after it, without a gap', async () => {
    const view = new CommandView(100);
    view.apply([{ sequence: 1, effect: { type: 'command', value: COMMAND } }, ...entries(2, 1)]);
    expect(view.restrictions('t')).toHaveLength(1);
    expect(view.restrictions('other')).toEqual([]);
    const later = view.changesAfter(view.sequence, new AbortController().signal);
    view.apply(entries(3, 2));
    expect((await later).map((entry) => entry.sequence)).toEqual([3, 4]);
  });

  it('drops an agent whose restrictions are gone', () => {
    const view = new CommandView(100);
    view.apply(entries(1, 1));
    view.apply([
      { sequence: 2, effect: { type: 'restriction', value: restriction({ version: 2, revokedSessions: [] }) } },
    ]);
    expect(view.restrictions('t')).toEqual([]);
  });

  it('stops waiting when the subscriber leaves', async () => {
    const view = new CommandView(100);
    const leaving = new AbortController();
    const waiting = view.changesAfter(0, leaving.signal);
    leaving.abort();
    expect(await waiting).toEqual([]);
  });

  it('continues after a restart from what the outbox still holds', async () => {
    const view = new CommandView(100);
    view.restore({ commands: [COMMAND], restrictions: [restriction()] }, 12, entries(8, 5));
    expect(view.sequence).toBe(12);
    expect(view.oldestSequence).toBe(7);
    expect((await view.changesAfter(9, new AbortController().signal)).map((e) => e.sequence)).toEqual([10, 11, 12]);
    expect(view.get('t', 'cmd_1')).toEqual(COMMAND);
  });

  it('says from where on it can continue once old changes are gone', () => {
    const view = new CommandView(10);
    view.apply(entries(1, 25_000));
    expect(view.oldestSequence).toBeGreaterThan(0);
    expect(view.oldestSequence).toBeLessThan(25_000);
  });
});

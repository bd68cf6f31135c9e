import { describe, expect, it } from 'vitest';
import { History, type StoredPast } from '../../../src/baseline/history.js';
import { DEFAULT_LEARNING } from '../../../src/baseline/learning.js';
import { Quarantine, type HeldIncident } from '../../../src/baseline/quarantine.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { memoryStore } from '../../support/memory-store.js';

const session = (agentId: string, extraNats: number) => ({ tenant: 't', agentId, facts: [], extraNats });
/** What tells the newest sessions of known agents apart, oldest first. */
function newest(history: History, count = 100): number[] {
  const groups = history.groups('t', count);
  const sessions = groups.flatMap(({ agentId, serials }) => serials.map((n) => history.find('t', agentId, n)));
  return sessions
    .flatMap((found) => found ?? [])
    .sort((a, b) => a.serial - b.serial)
    .map(({ extraNats }) => extraNats);
}
const held = <T>(entries: Iterable<{ value: Uint8Array }>) => [...entries].map(({ value }) => decodeState(value) as T);

describe('History', () => {
  it('keeps the newest of every agent and of the tenant, the same after a restart', () => {
    const store = memoryStore();
    const limits = { perAgent: 3, perTenant: 5 };
    const known = () => true;
    const history = new History(limits, store.load, known);
    for (let i = 0; i < 6; i++) history.add(session('a', i));
    for (let i = 6; i < 9; i++) history.add(session(`b${i}`, i));
    expect(newest(history)).toEqual([4, 5, 6, 7, 8]);
    expect(newest(history, 2)).toEqual([7, 8]);
    store.commit(history);
    expect(store.size()).toBe(5);
    const again = new History(limits, store.load, known);
    again.restore(held<StoredPast>(store.entries('history/')));
    for (const each of [history, again]) {
      each.add(session('a', 9));
      expect(newest(each)).toEqual([5, 6, 7, 8, 9]);
      each.forgetAgent('t', 'a');
      expect(newest(each)).toEqual([6, 7, 8]);
      expect(each.size('t')).toBe(3);
    }
    expect(history.groups('another', 5)).toEqual([]);
    expect(history.groups('t', 5).map(({ agentId, serials }) => [agentId, serials])).toEqual([
      ['b6', [6]],
      ['b7', [7]],
      ['b8', [8]],
    ]);
  });
});

describe('History of agents that are not known yet', () => {
  it('counts for nothing, is bounded, and counts in full from when the agent is known', () => {
    const store = memoryStore();
    const known = new Set(['old']);
    const limits = { perAgent: 100, perTenant: 50 };
    const history = new History(limits, store.load, (_, agentId) => known.has(agentId));
    for (let i = 0; i < 20; i++) history.add(session('old', i));
    for (let i = 0; i < 5_000; i++) history.add(session(`stranger-${i}`, 1_000 + i));
    expect([history.size('t'), newest(history).length]).toEqual([20, 20]);
    store.commit(history);
    expect(store.size()).toBe(20 + 1_024);
    for (let i = 0; i < 3; i++) history.add(session('new', 9_000 + i));
    known.add('new');
    expect(history.warmUp('t', 'new').map(({ extraNats }) => extraNats)).toEqual([9_000, 9_001, 9_002]);
    expect(history.size('t')).toBe(23);
  });
});

describe('Quarantine', () => {
  it('holds sessions by incident until a verdict, the same after a restart', () => {
    const store = memoryStore();
    const quarantine = new Quarantine(store.load);
    for (let i = 0; i < 20; i++) quarantine.hold('inc1', session('a', i), 1_000 + i);
    quarantine.hold('inc2', session('a', 99), 500);
    store.commit(quarantine);
    const again = new Quarantine(store.load);
    again.restore(held<HeldIncident>(store.entries('quarantine/')));
    expect(quarantine.dropped).toBe(4);
    for (const each of [quarantine, again]) {
      expect(each.size).toBe(2);
      expect(each.expire(1_000, 400)).toBe(1);
      expect(each.release('inc2').sessions).toEqual([]);
      expect(each.release('inc1').sessions).toHaveLength(16);
      expect(each.size).toBe(0);
    }
    store.commit(again);
    expect(store.size()).toBe(0);
  });

  it('lets the same one go first after a restart, also of several that were changed at the same time', () => {
    const store = memoryStore();
    const settings = { ...DEFAULT_LEARNING.quarantine, incidents: 3 };
    const quarantine = new Quarantine(store.load, settings);
    for (const incidentId of ['c', 'b', 'a', 'c']) quarantine.hold(incidentId, session('a', 1), 1_000);
    store.commit(quarantine);
    const again = new Quarantine(store.load, settings);
    again.restore(held<HeldIncident>(store.entries('quarantine/')));
    for (const each of [quarantine, again]) {
      each.hold('d', session('a', 2), 1_000);
      const sizes = ['a', 'b', 'c', 'd'].map((incidentId) => each.release(incidentId).sessions.length);
      expect(sizes).toEqual([1, 0, 2, 1]);
    }
  });

  it('is bounded', () => {
    const quarantine = new Quarantine(memoryStore().load);
    for (let i = 0; i < 5_000; i++) quarantine.hold(`inc${i}`, session('a', i), i);
    expect([quarantine.size, quarantine.dropped]).toEqual([4_096, 904]);
  });
});

import { describe, expect, it } from 'vitest';
import { ACTIVITY_PREFIX, ClassActivity, type ActiveAgent } from '../../../src/correlate/class-activity.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { memoryStore } from '../../support/memory-store.js';

const OPTIONS = { windowMs: 60_000, maxAgents: 100 };

describe('ClassActivity', () => {
  it('counts the agents of a class in the window that ends at a moment, each once', () => {
    const activity = new ClassActivity(OPTIONS);
    for (let i = 0; i < 5; i++) activity.touch('t', 'support', `support-${i}`, i * 20_000);
    activity.touch('t', 'support', 'support-4', 81_000);
    activity.touch('t', 'coding', 'coding-1', 80_000);
    activity.touch('other', 'support', 'support-9', 80_000);
    expect(activity.active('t', 'support', 80_000)).toBe(4);
    expect(activity.active('t', 'coding', 80_000)).toBe(1);
    expect(activity.active('t', 'nobody', 80_000)).toBe(0);
  });

  it('forgets who was silent for longer than the window, and never goes back', () => {
    const activity = new ClassActivity(OPTIONS);
    for (let i = 0; i < 50; i++) activity.touch('t', 'support', `old-${i}`, 0);
    activity.touch('t', 'support', 'new', 600_000);
    activity.touch('t', 'support', 'late', 0);
    expect(activity.size).toBe(1);
    expect(activity.active('t', 'support', 600_000)).toBe(1);
  });

  it('counts what it does not follow', () => {
    const activity = new ClassActivity({ ...OPTIONS, maxAgents: 3 });
    for (let i = 0; i < 5; i++) activity.touch('t', 'support', `a-${i}`, 0);
    expect([activity.size, activity.untracked]).toEqual([3, 2]);
  });

  it('is the same after a restart at any moment', () => {
    const store = memoryStore();
    const straight = new ClassActivity(OPTIONS);
    let restarted = new ClassActivity(OPTIONS);
    for (let i = 0; i < 60; i++) {
      const touch = ['t', i % 3 === 0 ? 'coding' : 'support', `a-${(i * 7) % 11}`, i * 7_000] as const;
      straight.touch(...touch);
      restarted.touch(...touch);
      store.commit(restarted);
      restarted = new ClassActivity(OPTIONS);
      restarted.restore([...store.entries(ACTIVITY_PREFIX)].map(({ value }) => decodeState(value) as ActiveAgent));
      for (const agentClass of ['coding', 'support']) {
        expect(restarted.active('t', agentClass, i * 7_000)).toBe(straight.active('t', agentClass, i * 7_000));
      }
      expect(restarted.size).toBe(straight.size);
    }
  });
});

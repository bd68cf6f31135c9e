import { describe, expect, it } from 'vitest';
import { AgentView } from '../../../src/correlate/agent-view.js';
import type { Observation, Stream } from '../../../src/model/observation.js';

const MINUTE_MS = 60_000;

function observed(agentId: string, time: number, stream: Stream = 'metric'): Observation {
  const base = {
    id: 'x',
    schemaVersion: 1,
    time,
    observedAt: time + 5,
    tenant: 't',
    agentId,
    principalId: 'p',
  } as const;
  return stream === 'reasoning'
    ? { ...base, stream, kind: 'message', chars: 1, declared: [], words: [] }
    : { ...base, stream: 'metric', kind: 'sample', values: {} };
}

describe('how agents stand', () => {
  it('keeps the highest risk for a quarter of an hour, then what came after', () => {
    const view = new AgentView(10);
    view.note(observed('a', 0), 7);
    view.note(observed('a', 5 * MINUTE_MS), 2);
    expect(view.get('t', 'a')).toEqual({ agentId: 'a', riskNats: 7, riskAt: 0, heardAt: 5 * MINUTE_MS + 5 });
    view.note(observed('a', 15 * MINUTE_MS), 3);
    expect(view.get('t', 'a')?.riskNats).toBe(3);
    view.note(observed('a', 16 * MINUTE_MS), 4);
    expect(view.get('t', 'a')?.riskNats).toBe(4);
  });

  it('keeps tenants apart, is bounded, and knows when each stream was heard', () => {
    const view = new AgentView(2);
    for (const agentId of ['a', 'b', 'c']) view.note(observed(agentId, 10, 'reasoning'), 1);
    expect([...view.all('t')].map(({ agentId }) => agentId)).toEqual(['b', 'c']);
    expect([[...view.all('u')], view.get('u', 'a')]).toEqual([[], undefined]);
    expect(view.heard('t')).toEqual({ reasoning: 15, action: 0, governance: 0, metric: 0 });
    expect(view.heard('u').reasoning).toBe(0);
  });
});

import { expect, it } from 'vitest';
import { SEVERITIES } from '../../../src/model/incident.js';
import { afterIncident, newsOf, type GroupingRules } from '../../../src/notify/grouping.js';
import { sampleIncident } from '../../support/samples.js';

it('tells of an incident only from the severity on that policy and channel both ask for', () => {
  const rules: GroupingRules = {
    minSeverity: 'medium',
    alertFrom: (agentId) => (agentId === 'agent-a' ? 'high' : 'low'),
    settleMs: 0,
    updateEveryMs: 0,
  };
  const told = (agentId: string) =>
    SEVERITIES.filter((severity) => afterIncident(undefined, sampleIncident({ agentId, severity }), 0, rules));
  expect(told('agent-a')).toEqual(['high', 'critical']);
  expect(told('agent-b')).toEqual(['medium', 'high', 'critical']);
  // One that fell before its message went out is not told of either.
  const thread = afterIncident(undefined, sampleIncident({ severity: 'high' }), 0, rules);
  if (thread === undefined) throw new Error('nobody is told');
  expect(newsOf(thread, sampleIncident({ severity: 'medium' }), [], rules)).toBeUndefined();
  expect(newsOf(thread, sampleIncident({ severity: 'high' }), [], rules)?.kind).toBe('opened');
});

import { describe, expect, it } from 'vitest';
import { flaggedSessions } from '../../../src/scoring/flagged-sessions.js';
import type { Incident } from '../../../src/model/incident.js';
import { sampleIncident } from '../../support/samples.js';

const agent = { agentId: 'agent-a', agentClass: 'support', quarantineMs: 1_000 };
const incident = (change: Partial<Incident>): Incident => {
  const { sessionId: _, verdict: _1, ...whole } = sampleIncident({ agentId: 'agent-a', status: 'open', timeline: [] });
  return { ...whole, openedAt: 500, updatedAt: 600, ...change };
};
const session = (sessionId: string, firstTime = 0, lastTime = 10) => ({ sessionId, firstTime, lastTime });
const outside = (firstTime: number, lastTime: number) => ({ firstTime, lastTime });

describe('sessions that nothing is learned from', () => {
  it('are those of incidents that are open or true, not of harmless ones or of other agents', () => {
    const isFlagged = flaggedSessions(
      [
        incident({ sessionId: 'open' }),
        incident({ sessionId: 'contained', status: 'contained' }),
        incident({ sessionId: 'true', status: 'closed', verdict: 'true-positive' }),
        incident({ sessionId: 'false', status: 'closed', verdict: 'false-positive' }),
        incident({ sessionId: 'usual', status: 'closed', verdict: 'benign-expected' }),
        incident({ sessionId: 'other', agentId: 'agent-b' }),
      ],
      agent,
    );
    const flagged = ['open', 'contained', 'true', 'false', 'usual', 'other'].filter((id) => isFlagged(session(id)));
    expect(flagged).toEqual(['open', 'contained', 'true']);
  });

  it('are all that the agent did while an incident about itself held learning up', () => {
    const open = flaggedSessions([incident({})], agent);
    const spans = [outside(0, 499), outside(0, 500), outside(1_400, 1_600), outside(1_501, 1_600)];
    expect(spans.map(open)).toEqual([false, true, true, false]);
    expect(open(session('s', 700, 800))).toBe(true);
    const judged = flaggedSessions([incident({ status: 'closed', verdict: 'true-positive' })], agent);
    expect([outside(500, 600), outside(601, 700)].map(judged)).toEqual([true, false]);
  });

  it('are all of a class while something about the class lasted', () => {
    const fleet = { agentClass: 'support', nature: 'campaign' as const, agents: 4, peers: 9, incidentIds: [] };
    const timeline = [
      { time: 400, stream: 'action' as const, text: '', refId: '' },
      { time: 900, stream: 'action' as const, text: '', refId: '' },
      { time: 5_000, stream: 'parallax' as const, text: '', refId: '' },
    ];
    const about = (change: object) => incident({ agentId: 'support', timeline, fleet: { ...fleet, ...change } });
    const isFlagged = flaggedSessions([about({})], agent);
    expect([session('s', 300, 400), session('s', 900, 950), session('s', 901, 950)].map(isFlagged)).toEqual([
      true,
      true,
      false,
    ]);
    const others = flaggedSessions([about({ agentClass: 'finops' }), about({ nature: 'blast-radius' })], agent);
    expect(others(session('s', 400, 500))).toBe(false);
  });
});

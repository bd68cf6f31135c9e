import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTrial, TRIAL_TENANT, type Trial } from '../../src/trial.js';
import { fleetSession, type FleetSession } from '../support/fleet-world.js';

const START = Date.parse('2026-01-05T08:00:00Z');
const DAY_MS = 24 * 60 * 60_000;
const MINUTE_MS = 60_000;
const AGENTS = 3;

/** What people say when they close incidents, against the sessions that a calibrated threshold watched. */
describe('the realised rate of false alarms', () => {
  let trial: Trial;

  const play = async (sessions: FleetSession[]) => {
    const said = sessions.flatMap((session) => fleetSession(session).said);
    await Promise.all(said.map(({ observation }) => trial.feed([observation])));
    await trial.endSessions();
  };
  const day = (nth: number, change: Partial<FleetSession> = {}): FleetSession[] =>
    Array.from({ length: 24 * AGENTS }, (_, i) => ({
      agentClass: 'support',
      agent: i % AGENTS,
      n: i,
      startMs: START + nth * DAY_MS + i * 5 * MINUTE_MS,
      ...change,
    }));

  beforeAll(async () => {
    trial = openTrial({ startMs: START });
    await trial.activate('learning', 'vouched');
    await play(day(0));
    await trial.activate('calibrate', '');
    await trial.activate('learning', 'on');
  });
  afterAll(() => trial.close());

  it('counts nothing while somebody vouches for the traffic', () => {
    expect(trial.core.realisedRates(TRIAL_TENANT)).toEqual([]);
  });

  it('counts sessions that were watched, incidents that wait, and what is said of them', async () => {
    await play(day(2));
    const [calm] = trial.core.realisedRates(TRIAL_TENANT);
    expect(calm).toMatchObject({ agentClass: 'support', sessions: 24 * AGENTS, falseAlarms: 0, rate: 0 });

    await play(day(4, { hijackedTo: 'drop@evil.example' }).slice(0, 4));
    const open = trial.core.incidents.list({ tenant: TRIAL_TENANT, limit: 10 });
    expect(open.length).toBeGreaterThanOrEqual(2);
    const [first, second] = open;
    for (const [incident, verdict] of [
      [first, 'false-positive'],
      [second, 'true-positive'],
    ] as const) {
      const value = {
        time: START + 6 * DAY_MS,
        tenant: TRIAL_TENANT,
        incidentId: incident?.id ?? '',
        verdict,
        by: 'anna',
      };
      await trial.core.record({ type: 'verdict', value });
    }
    await trial.core.settled();
    const [rate] = trial.core.realisedRates(TRIAL_TENANT);
    expect(rate).toMatchObject({ sessions: 24 * AGENTS + 4, falseAlarms: 1, truePositives: 1, budget: 0.01 });
    expect(rate?.unjudged).toBe(open.length - 2);
    expect(rate?.low).toBeLessThan(rate?.rate ?? 0);
    expect(rate?.high).toBeGreaterThan(rate?.rate ?? 1);
    expect(rate?.verdict).toBe('undecided');
  });
});

import { describe, expect, it } from 'vitest';
import { decide, decideLate, type CheckFacts } from '../../../src/respond/decision.js';
import { checkAnswerSchema } from '../../../src/model/wire.js';

const FACTS: CheckFacts = {
  mode: 'act',
  effect: 'write',
  riskNats: 3,
  thresholdNats: 11,
  incident: undefined,
  restriction: undefined,
};
const INCIDENT = { id: 'inc_1', title: 'send_money is unusual', status: 'open' } as const;
const RESTRICTION = {
  commandId: 'cmd_1',
  action: 'revoke-session',
  strength: 'deny',
  reason: 'session revoked',
} as const;
const APPROVAL = { ...RESTRICTION, action: 'downgrade-posture', strength: 'hold' } as const;

describe('decide', () => {
  it.each([
    ['allows what is not unusual', {}, 'allow'],
    ['holds a write during an incident', { incident: INCIDENT }, 'hold'],
    ['holds the handling of identity during an incident', { incident: INCIDENT, effect: 'auth' }, 'hold'],
    ['holds a call of unknown effect during an incident', { incident: INCIDENT, effect: 'unknown' }, 'hold'],
    ['lets reading pass during an incident', { incident: INCIDENT, effect: 'read' }, 'allow'],
    ['denies what a command forbids, reading too', { restriction: RESTRICTION, effect: 'read' }, 'deny'],
    ['holds what a command lets a person decide', { restriction: APPROVAL }, 'hold'],
    ['holds by the command before the incident', { restriction: APPROVAL, incident: INCIDENT }, 'hold'],
    ['denies rather than holds', { restriction: RESTRICTION, incident: INCIDENT }, 'deny'],
  ] as const)('%s', (_, change, wanted) => {
    const answer = decide({ ...FACTS, ...change });
    expect(answer.decision).toBe(wanted);
    expect(checkAnswerSchema.parse(answer)).toEqual(answer);
  });

  it('enforces nothing in observe-only and says what it would have done', () => {
    const answer = decide({ ...FACTS, mode: 'observe', incident: INCIDENT });
    expect(answer).toMatchObject({ decision: 'allow', wouldBe: 'hold', incidentId: 'inc_1' });
  });

  it('enforces what a person ordered in observe-only too', () => {
    const answer = decide({ ...FACTS, mode: 'observe', restriction: RESTRICTION });
    expect(answer).toMatchObject({ decision: 'deny', wouldBe: 'deny', commandId: 'cmd_1' });
  });

  it('names the command, so that the gateway can name it in its audit', () => {
    expect(decide({ ...FACTS, restriction: RESTRICTION })).toMatchObject({
      commandId: 'cmd_1',
      reason: 'session revoked',
    });
  });

  it('stays JSON while there is no threshold and no call yet', () => {
    const answer = decide({ ...FACTS, riskNats: Number.NEGATIVE_INFINITY, thresholdNats: Number.POSITIVE_INFINITY });
    expect(checkAnswerSchema.parse(JSON.parse(JSON.stringify(answer)))).toEqual(answer);
  });
});

describe('decideLate', () => {
  it('answers as configured, and allows in observe-only', () => {
    expect(decideLate('hold', 'act')).toMatchObject({ decision: 'hold', timedOut: true });
    expect(decideLate('hold', 'observe')).toMatchObject({ decision: 'allow', wouldBe: 'hold', timedOut: true });
  });
});

import { describe, expect, it } from 'vitest';
import { BlastRadius } from '../../../src/respond/blast-radius.js';
import { planResponse, type PolicyContext } from '../../../src/respond/policy.js';
import { sampleCommand, sampleIncident } from '../../support/samples.js';

function radius(): BlastRadius {
  return new BlastRadius({ maxContainedShare: 0.1, minContainedAgents: 3 });
}

const contain = (agent: number, change = {}) => sampleCommand({ id: `cmd_${agent}`, agentId: `a-${agent}`, ...change });

describe('BlastRadius', () => {
  it('counts agents, not commands, and only what is in force', () => {
    const subject = radius();
    subject.note(contain(1));
    subject.note(contain(1, { id: 'cmd_other' }));
    subject.note(contain(2, { state: 'proposed' }));
    subject.note(contain(3, { dryRun: true }));
    subject.note(contain(4, { tenant: 'other' }));
    expect(subject.contained('default')).toBe(1);
    subject.note(contain(1, { state: 'undone' }));
    expect(subject.isContained('default', 'a-1')).toBe(true);
    subject.note(contain(1, { id: 'cmd_other', state: 'expired' }));
    expect(subject.isContained('default', 'a-1')).toBe(false);
  });

  it('allows a share of the fleet, but some agents in any case, and counts the fleet only when it matters', () => {
    const subject = radius();
    let asked = 0;
    const known = () => {
      asked++;
      return 50;
    };
    for (let agent = 0; agent < 3; agent++) {
      expect(subject.reach('default', known).maxContained).toBe(3);
      subject.note(contain(agent));
    }
    expect(asked).toBe(0);
    expect(subject.reach('default', known)).toEqual({ contained: 3, known: 50, maxContained: 5 });
    expect(subject.limit('default', 12).maxContained).toBe(3);
  });
});

describe('the cap in the response policy', () => {
  const CONTEXT: PolicyContext = {
    mode: 'act',
    neverAct: [],
    commandsLastMinute: 0,
    maxCommandsPerMinute: 20,
    reach: { contained: 3, known: 40, maxContained: 4 },
    isContained: false,
    sharedBehaviour: undefined,
    revokeFrom: 'high',
    sameToolSessions: 0,
    freezeAfterSessions: 3,
    downgrade: 'off',
    downgradeFrom: 'medium',
    downgradeTo: 'approval',
    suspend: 'off',
    priorIncidents: 0,
    suspendAfterIncidents: 3,
  };
  const plan = (change: Partial<PolicyContext>) => planResponse(sampleIncident(), { ...CONTEXT, ...change })[0];

  it('sends below it and proposes at it, with the reason named', () => {
    expect(plan({})).toMatchObject({ delivery: 'send' });
    expect(plan({ reach: { contained: 4, known: 40, maxContained: 4 } })).toMatchObject({
      delivery: 'propose',
      wait: { for: 'cap', reason: 'blast-radius cap: 4 of 40 agents are contained already' },
    });
    expect(plan({ commandsLastMinute: 20 })).toMatchObject({
      delivery: 'propose',
      wait: { for: 'cap', reason: 'blast-radius cap: 20 commands were sent within a minute' },
    });
  });

  it('does not stop what reaches nobody else', () => {
    expect(plan({ reach: { contained: 4, known: 40, maxContained: 4 }, isContained: true })?.delivery).toBe('send');
  });

  it('proposes what rests on what peers do alike', () => {
    expect(plan({ sharedBehaviour: 'all call audit_note' })).toMatchObject({
      delivery: 'propose',
      wait: { for: 'peers', reason: 'all call audit_note' },
    });
    expect(plan({ mode: 'observe', sharedBehaviour: 'all call audit_note' })?.delivery).toBe('dry-run');
  });
});

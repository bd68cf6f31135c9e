import { describe, expect, it } from 'vitest';
import { BlastRadius } from '../../../src/respond/blast-radius.js';
import { sampleCommand } from '../../support/samples.js';

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

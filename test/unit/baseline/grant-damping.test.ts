import { beforeAll, describe, expect, it } from 'vitest';
import type { BaselineRegistry } from '../../../src/baseline/registry.js';
import type { Assessment } from '../../../src/detect/port.js';
import type { GovernanceFacts } from '../../../src/governance/port.js';
import { libraryOfCase } from '../../../src/governance/library-loader.js';
import { attempt, call, prompt } from '../../support/behaviour.js';
import { live, office, ordinary } from '../../support/office.js';

const NOTE = 'damped: granted 3 h ago by lead-anna';
const WIRE = { tool: 'wire_abroad', effect: 'write' as const, args: { to: 'mallory' }, origin: 'result' as const };
const FROM = { originCall: 'c1', originTool: 'read_bill' };

function facts(learning: GovernanceFacts['learning']): GovernanceFacts {
  const nobody = { by: '', authorised: false };
  return {
    library: libraryOfCase({ profile: {} }).entryFor('agent-a', WIRE.tool),
    grant: { ...nobody, active: false, expired: false, expiredMs: 0, ageMs: 0 },
    approval: { ...nobody, known: false, self: false, afterAct: false, lateMs: 0, recentByApprover: 0 },
    policy: { differs: false, behindMs: 0, expected: '' },
    posture: '',
    learning,
  };
}

describe('a call of a tool that was granted lately', () => {
  let plain: Assessment;
  let damped: Assessment;
  beforeAll(() => {
    const { registry }: { registry: BaselineRegistry } = office();
    for (let n = 0; n < 60; n++) live(registry, ordinary(n));
    registry.apply(prompt({ at: 1, sessionId: 'g' }, 'Please look at the rent bill and pay anna'));
    registry.apply(call({ at: 2, sessionId: 'g', callId: 'c1' }, { tool: 'read_bill', args: { name: 'rent' } }));
    const asked = attempt({ at: 3, sessionId: 'g', callId: 'c2' }, { ...WIRE, ...FROM });
    plain = registry.assess(asked, facts(undefined));
    damped = registry.assess(asked, facts({ note: NOTE }));
  });

  const natsOf = ({ measures }: Assessment, name: string) => measures.get(name)?.nats ?? 0;

  it('surprises a fifth as much by being new, in every measure of it', () => {
    for (const name of ['requestTool', 'newTool', 'transition']) {
      expect(natsOf(plain, name)).toBeGreaterThan(1);
      expect(natsOf(damped, name)).toBeCloseTo(0.2 * natsOf(plain, name), 9);
    }
  });

  it('surprises as much as ever by where its arguments come from and what it acts on', () => {
    expect(natsOf(plain, 'newTarget')).toBeGreaterThan(1);
    for (const name of ['newTarget', 'argumentOrigin', 'offRequest']) {
      expect(damped.measures.get(name)).toEqual(plain.measures.get(name));
    }
    const others = (assessment: Assessment) => assessment.terms.filter(({ label }) => !label.startsWith('tool not'));
    expect(others(damped)).toEqual(others(plain));
  });

  it('says so, in the measure and in the arithmetic, and keeps what was measured', () => {
    expect(damped.measures.get('requestTool')?.expected).toBe(
      `${plain.measures.get('requestTool')?.expected} (${NOTE})`,
    );
    const [tool] = damped.terms;
    expect(tool?.label).toBe(`tool not expected for this request (${NOTE})`);
    expect(tool?.nats).toBeLessThan(0.5 * (plain.terms[0]?.nats ?? 0));
    const sum = damped.terms.reduce((all, { nats }) => all + nats, 0);
    expect(natsOf(damped, 'combined')).toBeCloseTo(sum, 9);
  });
});

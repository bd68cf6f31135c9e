import { describe, expect, it } from 'vitest';
import { AlarmLedger } from '../../../src/correlate/alarm-ledger.js';
import type { Incident } from '../../../src/model/incident.js';

const T = 'tenant';
const CLASSES = [
  { name: 'coding', budget: 0.01 },
  { name: 'support', budget: 0.02 },
];
// The ledger reads no more of an incident than these.
const about = (sessionId?: string) => ({ tenant: T, ...(sessionId === undefined ? {} : { sessionId }) }) as Incident;

function ledger(sessions: number, harmless: number, harmful = 0): AlarmLedger {
  const made = new AlarmLedger(() => undefined);
  for (let i = 0; i < sessions; i++) made.session(T, 'coding');
  for (let i = 0; i < harmless + harmful; i++) {
    made.opened(about(`s${i}`), 'coding');
    made.judged(about(`s${i}`), 'coding', i < harmless ? 'false-positive' : 'true-positive');
  }
  return made;
}

describe('AlarmLedger', () => {
  it('says how often a class alarmed falsely, and whether that keeps the budget', () => {
    const [within] = ledger(1_000, 1).rates(T, CLASSES);
    expect(within).toMatchObject({ sessions: 1_000, falseAlarms: 1, rate: 0.001, verdict: 'within' });
    const [above] = ledger(1_000, 40, 5).rates(T, CLASSES);
    expect(above).toMatchObject({ falseAlarms: 40, truePositives: 5, unjudged: 0, verdict: 'above' });
    const [undecided] = ledger(50, 0).rates(T, CLASSES);
    expect(undecided).toMatchObject({ rate: 0, verdict: 'undecided' });
  });

  it('counts what nobody judged apart, and nothing that is about no session', () => {
    const made = ledger(10, 0);
    made.opened(about('open'), 'coding');
    made.opened(about(), 'coding');
    made.judged(about(), 'coding', 'false-positive');
    expect(made.rates(T, CLASSES)).toMatchObject([{ agentClass: 'coding', unjudged: 1, falseAlarms: 0 }]);
    expect(made.rates('another', CLASSES)).toEqual([]);
  });

  it('goes on counting after a restart', () => {
    const puts: { key: string; value: Uint8Array }[] = [];
    ledger(7, 2).drain(puts, []);
    const again = new AlarmLedger((key) => puts.findLast((put) => put.key === key)?.value);
    again.session(T, 'coding');
    expect(again.rates(T, CLASSES)).toMatchObject([{ sessions: 8, falseAlarms: 2 }]);
  });
});

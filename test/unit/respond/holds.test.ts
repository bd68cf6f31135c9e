import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeState } from '../../../src/lib/state-table.js';
import type { Effect } from '../../../src/model/effect.js';
import type { Hold } from '../../../src/model/hold.js';
import type { AttemptObservation } from '../../../src/model/observation.js';
import type { CheckAnswer } from '../../../src/model/wire.js';
import { Holds, type HoldsOptions } from '../../../src/respond/holds.js';

const NOW = 10_000_000;
const HOLD_MS = 60_000;
const DECISION_MS = 30_000;

function holds(change: Partial<HoldsOptions> = {}): Holds {
  const standard = { holdMs: HOLD_MS, decisionMs: DECISION_MS, onTimeout: 'deny' as const, maxWaiting: 100 };
  return new Holds({ ...standard, load: () => undefined, ...change });
}

function attempt(change: Partial<AttemptObservation> = {}): AttemptObservation {
  return {
    id: 'obs_1',
    schemaVersion: 1,
    stream: 'action',
    kind: 'tool_attempt',
    time: 1,
    observedAt: NOW,
    tenant: 'default',
    agentId: 'agent-a',
    principalId: 'gw',
    sessionId: 's1',
    callId: 'c1',
    tool: 'send_money',
    effect: 'write',
    targets: [{ field: 'to', kind: 'iban', value: 'DE10 1111', hash: 1, words: [], origin: 'none' }],
    argWords: [],
    argBytes: 9,
    argsHash: 'args_1',
    decision: 'none',
    ...change,
  };
}

const HELD: CheckAnswer = {
  decision: 'hold',
  wouldBe: 'hold',
  reason: 'unusual',
  incidentId: 'inc_1',
  riskNats: 9,
  thresholdNats: 5,
  timedOut: false,
};

function holdsOf(effects: readonly Effect[]): Hold[] {
  return effects.flatMap((effect) => (effect.type === 'hold' ? [effect.value] : []));
}

function decide(subject: Holds, holdId: string, order: 'approve' | 'reject', now: number, by = 'ann'): Hold[] {
  const said = { time: now, tenant: 'default', by, reason: 'the owner knows' };
  return holdsOf(subject.onOrder({ ...said, order, holdId }, now));
}

describe('Holds', () => {
  it.each(['observe', 'act'])(
    'holds what the gateway’s own rules ask about, also in %s, until a person agrees',
    (mode) => {
      const subject = holds();
      const asked = attempt({ decision: 'ask', reason: 'mail goes out' });
      const fine: CheckAnswer = {
        ...HELD,
        decision: 'allow',
        wouldBe: mode === 'act' ? 'allow' : 'hold',
        reason: 'nothing unusual',
      };
      const { answer, effects } = subject.onAttempt(asked, fine, NOW);
      const [hold] = holdsOf(effects);
      expect(hold).toMatchObject({ state: 'waiting', reason: 'mail goes out' });
      expect(answer).toEqual({ ...fine, decision: 'hold', reason: 'mail goes out', holdId: hold?.id });
      // The same call without the question is none of this.
      expect(subject.onAttempt(attempt(), fine, NOW)).toEqual({ answer: fine, effects: [] });
      decide(subject, hold?.id ?? '', 'approve', NOW + 1);
      const again = subject.onAttempt({ ...asked, id: 'obs_2' }, fine, NOW + 2);
      expect(again.answer).toMatchObject({
        decision: 'allow',
        approvalId: hold?.id,
        reason: 'approved by ann: the owner knows',
      });
      // An approval is for one call.
      expect(subject.onAttempt({ ...asked, id: 'obs_3' }, fine, NOW + 3).answer.decision).toBe('hold');
    },
  );

  it('lets no gateway’s question loosen what the call deserves', () => {
    const denied: CheckAnswer = { ...HELD, decision: 'deny', reason: 'this agent is suspended' };
    const told = holds().onAttempt(attempt({ decision: 'ask', reason: 'mail goes out' }), denied, NOW);
    expect(told).toEqual({ answer: denied, effects: [] });
  });

  it('makes one item of a call, with what a person needs to decide, however often it is asked', () => {
    const subject = holds();
    const { answer, effects } = subject.onAttempt(attempt(), HELD, NOW);
    const [hold] = holdsOf(effects);
    expect(hold).toMatchObject({
      state: 'waiting',
      tool: 'send_money',
      summary: 'to=DE10 1111',
      reason: 'unusual',
      incidentId: 'inc_1',
      gatewayId: 'gw',
      expiresAt: NOW + HOLD_MS,
    });
    expect(answer).toMatchObject({ decision: 'hold', holdId: hold?.id });
    const again = subject.onAttempt(attempt({ id: 'obs_2', callId: 'c2' }), HELD, NOW + 1);
    expect(again).toEqual({ answer: { ...HELD, holdId: hold?.id }, effects: [] });
  });

  it('leaves alone what is not held', () => {
    for (const decision of ['allow', 'deny'] as const) {
      const answer = { ...HELD, decision };
      expect(holds().onAttempt(attempt(), answer, NOW)).toEqual({ answer, effects: [] });
    }
  });

  it('lets an approved call pass once, and these arguments only', () => {
    const subject = holds();
    const { answer } = subject.onAttempt(attempt(), HELD, NOW);
    const holdId = answer.holdId ?? '';
    expect(decide(subject, holdId, 'approve', NOW + 1)).toMatchObject([
      { state: 'approved', decidedBy: 'ann', decisionReason: 'the owner knows', expiresAt: NOW + 1 + DECISION_MS },
    ]);
    const other = subject.onAttempt(attempt({ id: 'obs_2', argsHash: 'args_2' }), HELD, NOW + 2).answer;
    expect(other.decision).toBe('hold');
    expect(other.holdId).not.toBe(holdId);
    const passed = subject.onAttempt(attempt({ id: 'obs_3' }), HELD, NOW + 3);
    expect(passed.answer).toMatchObject({ decision: 'allow', approvalId: holdId });
    expect(holdsOf(passed.effects)).toMatchObject([{ id: holdId, state: 'used' }]);
    expect(subject.onAttempt(attempt({ id: 'obs_3' }), HELD, NOW + 4).answer).toMatchObject({ decision: 'deny' });
    const anew = subject.onAttempt(attempt({ id: 'obs_4' }), HELD, NOW + 5).answer;
    expect(anew.decision).toBe('hold');
    expect(anew.holdId).not.toBe(holdId);
  });

  it('refuses what was rejected, and says by whom and why, until the decision counts no more', () => {
    const subject = holds();
    const { answer } = subject.onAttempt(attempt(), HELD, NOW);
    decide(subject, answer.holdId ?? '', 'reject', NOW);
    expect(subject.onAttempt(attempt({ id: 'obs_2' }), HELD, NOW + DECISION_MS - 1).answer).toMatchObject({
      decision: 'deny',
      reason: 'rejected by ann: the owner knows',
    });
    expect(subject.onAttempt(attempt({ id: 'obs_3' }), HELD, NOW + DECISION_MS).answer.decision).toBe('hold');
  });

  it.each([
    ['deny', 'lapsed', 'deny'],
    ['allow', 'approved', 'allow'],
  ] as const)('does what is configured when nobody decides: %s', (onTimeout, state, decision) => {
    const subject = holds({ onTimeout });
    subject.onAttempt(attempt(), HELD, NOW);
    expect(subject.onTime(NOW + HOLD_MS - 1)).toEqual([]);
    expect(holdsOf(subject.onTime(NOW + HOLD_MS))).toMatchObject([{ state, decidedBy: 'policy' }]);
    expect(subject.onAttempt(attempt({ id: 'obs_2' }), HELD, NOW + HOLD_MS).answer.decision).toBe(decision);
  });

  it('decides at its deadline also where no tick has come', () => {
    const subject = holds();
    const { answer } = subject.onAttempt(attempt(), HELD, NOW);
    expect(decide(subject, answer.holdId ?? '', 'approve', NOW + HOLD_MS)).toEqual([]);
    const late = subject.onAttempt(attempt({ id: 'obs_2' }), HELD, NOW + HOLD_MS);
    expect(late.answer).toMatchObject({ decision: 'deny', reason: 'nobody decided in time' });
    expect(holdsOf(late.effects)).toMatchObject([{ state: 'lapsed' }]);
  });

  it('lets nobody decide about their own call, twice, or for another tenant', () => {
    const subject = holds();
    const holdId = subject.onAttempt(attempt(), HELD, NOW).answer.holdId ?? '';
    for (const by of ['agent-a', 'gw']) expect(decide(subject, holdId, 'approve', NOW, by)).toEqual([]);
    const said = { time: NOW, tenant: 'elsewhere', order: 'approve', holdId, by: 'ann', reason: 'r' } as const;
    expect(subject.onOrder(said, NOW)).toEqual([]);
    expect(decide(subject, holdId, 'reject', NOW)).toHaveLength(1);
    expect(decide(subject, holdId, 'approve', NOW)).toEqual([]);
  });

  it('refuses what is beyond the queue, and lets no agent fill it alone', () => {
    const subject = holds({ maxWaiting: 20 });
    const ask = (n: number, agentId: string, tenant = 'default') =>
      subject.onAttempt(attempt({ id: `obs_${agentId}_${n}`, argsHash: `${n}`, agentId, tenant }), HELD, NOW).answer
        .decision;
    expect([ask(1, 'wild'), ask(2, 'wild'), ask(3, 'wild')]).toEqual(['hold', 'hold', 'deny']);
    const others = Array.from({ length: 20 }, (_, i) => ask(1, `agent-${i}`));
    expect(others.filter((decision) => decision === 'hold')).toHaveLength(18);
    expect(ask(1, 'agent-x', 'elsewhere')).toBe('hold');
    expect(subject.stats().refused).toBe(3);
    subject.onTime(NOW + HOLD_MS);
    expect(ask(4, 'wild')).toBe('hold');
  });

  it('never lets more calls pass than were approved, and says the same after a crash, in any order', () => {
    type Step =
      | { do: 'ask'; n: number }
      | { do: 'order'; n: number; order: 'approve' | 'reject' }
      | { do: 'time'; ms: number };
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ do: fc.constant('ask' as const), n: fc.nat(2) }),
      fc.record({
        do: fc.constant('order' as const),
        n: fc.nat(5),
        order: fc.constantFrom('approve' as const, 'reject' as const),
      }),
      fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    );
    let passes = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(40), (steps, cut) => {
        const run = (restartAt: number | undefined) => {
          const stored = new Map<string, Uint8Array>();
          const load = (key: string) => stored.get(key);
          let subject = holds({ load, maxWaiting: 30 });
          let now = NOW;
          const ids: string[] = [];
          return steps.map((one, i) => {
            if (i === restartAt) {
              const puts: { key: string; value: Uint8Array }[] = [];
              subject.drain(puts, []);
              for (const { key, value } of puts) stored.set(key, value);
              subject = holds({ load, maxWaiting: 30 });
              subject.restore(puts.map(({ value }) => decodeState(value) as Hold));
            }
            if (one.do === 'time') return { effects: subject.onTime((now += one.ms)) };
            if (one.do === 'order') {
              const holdId = ids[one.n % Math.max(1, ids.length)] ?? '';
              return {
                effects: subject.onOrder(
                  { time: now, tenant: 'default', order: one.order, holdId, by: 'ann', reason: 'r' },
                  now,
                ),
              };
            }
            const told = subject.onAttempt(attempt({ id: `obs_${i}`, argsHash: `${one.n}` }), HELD, now);
            if (told.answer.holdId !== undefined && !ids.includes(told.answer.holdId)) ids.push(told.answer.holdId);
            return told;
          });
        };
        const said = run(undefined);
        expect(run(cut)).toEqual(said);
        const answers = said.flatMap((one) => ('answer' in one ? [one.answer] : []));
        const allowed = answers.filter(({ decision }) => decision === 'allow').map(({ approvalId }) => approvalId);
        expect(new Set(allowed).size).toBe(allowed.length);
        const approved = said.flatMap(({ effects }) => holdsOf(effects)).filter(({ state }) => state === 'approved');
        expect(approved.map(({ id }) => id)).toEqual(expect.arrayContaining(allowed));
        passes += allowed.length;
      }),
      { numRuns: 300 },
    );
    expect(passes).toBeGreaterThan(0);
  });
});

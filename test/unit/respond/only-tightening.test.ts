import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isInForce, TIMEOUT_ANSWERS, type Command } from '../../../src/model/command.js';
import { SEVERITIES } from '../../../src/model/incident.js';
import { Responder } from '../../../src/respond/responder.js';
import { circumstances, responderOptions } from '../../support/responses.js';
import { sampleIncident } from '../../support/samples.js';

const START = 10_000_000;
const CAP = 6;

const rung = fc.record({
  mode: fc.constantFrom('propose' as const, 'act' as const),
  severity: fc.constantFrom(...SEVERITIES),
  onTimeout: fc.constantFrom(...TIMEOUT_ANSWERS),
  containMs: fc.integer({ min: 1_000, max: 50_000 }),
  proposalMs: fc.integer({ min: 1_000, max: 50_000 }),
});
const response = fc.record({
  'downgrade-posture': rung,
  'freeze-tool': rung,
  'revoke-session': rung,
  'suspend-agent': rung,
  neverAct: fc.constant<string[]>(['agent-safe']),
});
const step = fc.oneof(
  fc.record({
    agentId: fc.constantFrom('agent-a', 'agent-b', 'agent-safe'),
    n: fc.nat(9),
    severity: fc.constantFrom(...SEVERITIES),
    emitters: fc.subarray(['gateway-1', 'runtime-1']),
    violation: fc.boolean(),
    seen: fc.nat(6),
  }),
  fc.record({ passMs: fc.integer({ min: 1, max: 30_000 }) }),
);

it('tightens by itself and never loosens before the time, within lists and caps, whatever happens', () => {
  let sentInAll = 0;
  const ended = new Set<string>();
  fc.assert(
    fc.property(response, fc.array(step, { minLength: 5, maxLength: 40 }), (over, story) => {
      const subject = new Responder(
        responderOptions({ response: over, caps: { commandsPerMinute: CAP }, maxDeliveries: 20 }),
      );
      const commands = new Map<string, Command>();
      const sentAt: number[] = [];
      const faults: string[] = [];
      let now = START;
      for (const one of story) {
        const isIncident = 'agentId' in one;
        now += isIncident ? 1 : one.passMs;
        const effects = isIncident
          ? subject.onIncident(
              sampleIncident({ ...one, id: `inc_${one.agentId}_${one.n}`, sessionId: `s${one.n}` }),
              circumstances(one.seen, one.seen),
              now,
            )
          : subject.onTime(now);
        for (const effect of effects) {
          if (effect.type !== 'command') continue;
          const { value: after } = effect;
          const before = commands.get(after.id);
          commands.set(after.id, after);
          const wasInForce = before !== undefined && isInForce(before);
          if (wasInForce && !isInForce(after)) {
            ended.add(after.state);
            if (after.state !== 'expired' || after.expiresAt > now)
              faults.push(`${after.action} ended as ${after.state}`);
          }
          if (wasInForce || !isInForce(after)) continue;
          sentAt.push(now);
          if (after.agentId === 'agent-safe') faults.push(`${after.action} of a listed agent`);
          if (isIncident && !one.violation && one.emitters.length < 2) faults.push(`${after.action} on one word`);
          if (sentAt.filter((time) => time > now - 60_000).length > CAP) faults.push(`${after.action} above the cap`);
        }
      }
      sentInAll += sentAt.length;
      expect(faults).toEqual([]);
    }),
    { numRuns: 500 },
  );
  expect(sentInAll).toBeGreaterThan(500);
  expect([...ended]).toEqual(['expired']);
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMMAND_ACTIONS, RUNG_MODES, TIMEOUT_ANSWERS, type CommandAction } from '../../../src/model/command.js';
import { SEVERITIES } from '../../../src/model/incident.js';
import { overlayResponse, STANDARD_RESPONSE, type ResponseOverride } from '../../../src/model/response-policy.js';
import {
  planResponse,
  tellsPeople,
  type PlannedCommand,
  type PolicyCase,
  type PolicyFacts,
} from '../../../src/respond/policy.js';
import { policyCase, policyFacts, WIDE_CAPS } from '../../support/responses.js';

interface Situation {
  response?: ResponseOverride;
  about?: Partial<PolicyCase>;
  facts?: Partial<PolicyFacts>;
}

function decisions({ response = {}, about = {}, facts = {} }: Situation) {
  const policy = overlayResponse(STANDARD_RESPONSE, response);
  return planResponse(policyCase(about), { policy, caps: WIDE_CAPS }, policyFacts(facts));
}

function commandsOf(situation: Situation): PlannedCommand[] {
  return decisions(situation).flatMap(({ command }) => command ?? []);
}

const brief = (situation: Situation) => commandsOf(situation).map(({ action, delivery }) => `${action}: ${delivery}`);

describe('the standard policy', () => {
  const cases: [string, Situation, string[]][] = [
    ['revokes the session of a severe incident', {}, ['revoke-session: send']],
    ['leaves a milder one to holding', { about: { severity: 'medium' } }, []],
    [
      'freezes a tool after five sessions',
      { facts: { toolSessions: () => 5 } },
      ['freeze-tool: send', 'revoke-session: send'],
    ],
    ['not after four', { facts: { toolSessions: () => 4 } }, ['revoke-session: send']],
    [
      'proposes to suspend a repeat offender',
      { about: { severity: 'low' }, facts: { priorIncidents: () => 3 } },
      ['suspend-agent: propose'],
    ],
    ['not one with two priors', { about: { severity: 'low' }, facts: { priorIncidents: () => 2 } }, []],
    ['writes down what observe-only would do', { facts: { mode: 'observe' } }, ['revoke-session: dry-run']],
    ['asks a person where all evidence is from one hand', { about: { emitters: 1 } }, ['revoke-session: propose']],
    ['acts on a broken invariant alone', { about: { emitters: 1, violation: true } }, ['revoke-session: send']],
  ];
  it.each(cases)('%s', (_, situation, wanted) => {
    expect(brief(situation)).toEqual(wanted);
  });
});

describe('what a policy can say', () => {
  const cases: [string, Situation, string[]][] = [
    ['a rung by severity', { response: { 'revoke-session': { severity: 'critical' } } }, []],
    ['a rung that is off', { response: { 'revoke-session': { mode: 'off' } } }, []],
    ['a rung that only observes', { response: { 'revoke-session': { mode: 'observe' } } }, ['revoke-session: dry-run']],
    [
      'a rung that is only proposed',
      { response: { 'revoke-session': { mode: 'propose' } } },
      ['revoke-session: propose'],
    ],
    ['a rung by agreeing emitters', { response: { 'revoke-session': { emitters: 3 } } }, []],
    ['more emitters for acting', { response: { 'revoke-session': { actEmitters: 3 } } }, ['revoke-session: propose']],
    [
      'a broken invariant in place of them',
      { response: { 'revoke-session': { actEmitters: 3, emitters: 3 } }, about: { violation: true } },
      ['revoke-session: send'],
    ],
    [
      'repeat offences on any rung',
      { response: { 'revoke-session': { priorIncidents: 1 } }, facts: { priorIncidents: () => 0 } },
      [],
    ],
    [
      'the whole ladder at once',
      {
        response: { 'downgrade-posture': { mode: 'act' }, 'suspend-agent': { mode: 'act' } },
        facts: { toolSessions: () => 9, priorIncidents: () => 9 },
      },
      ['downgrade-posture: send', 'freeze-tool: send', 'revoke-session: send', 'suspend-agent: send'],
    ],
    ['nobody on the never-act list', { response: { neverAct: ['agent-*'] } }, ['revoke-session: propose']],
    [
      'never suspend somebody whose tool may be frozen',
      {
        response: { 'suspend-agent': { mode: 'act', neverAct: ['agent-a'] } },
        about: { severity: 'low' },
        facts: { toolSessions: () => 5, priorIncidents: () => 3 },
      },
      ['freeze-tool: send', 'suspend-agent: propose'],
    ],
  ];
  it.each(cases)('%s', (_, situation, wanted) => {
    expect(brief(situation)).toEqual(wanted);
  });

  it('asks how far back each rung looks', () => {
    const asked: number[] = [];
    const count = (withinMs: number) => asked.push(withinMs);
    commandsOf({
      response: { 'freeze-tool': { toolWithinMs: 7 }, 'suspend-agent': { priorWithinMs: 9 } },
      facts: { toolSessions: (_, withinMs) => count(withinMs), priorIncidents: count },
    });
    expect(asked).toEqual([7, 9]);
  });

  it('gives every command the times of its rung', () => {
    const response = { 'revoke-session': { containMs: 5_000, proposalMs: 9_000 } };
    expect(commandsOf({ response })).toMatchObject([{ containMs: 5_000, proposalMs: 9_000 }]);
  });

  it('tells people from a severity on', () => {
    const policy = overlayResponse(STANDARD_RESPONSE, { alert: { severity: 'high' } });
    const told = SEVERITIES.filter((severity) => tellsPeople({ severity }, policy));
    expect(told).toEqual(['high', 'critical']);
  });

  it('lets a class add to the never-act list of the install, not take from it', () => {
    const install = overlayResponse(STANDARD_RESPONSE, { neverAct: ['a'], 'freeze-tool': { neverAct: ['b'] } });
    const own = overlayResponse(install, { neverAct: ['c'], 'freeze-tool': { neverAct: [], mode: 'off' } });
    expect(own.neverAct).toEqual(['a', 'c']);
    expect(own['freeze-tool']).toMatchObject({ neverAct: ['b'], mode: 'off', toolSessions: 5 });
  });
});

describe('what waits for a person', () => {
  const held = (situation: Situation) => commandsOf(situation)[0];
  const full = { contained: 4, known: 40, maxContained: 4 };

  it.each<[string, Partial<PolicyFacts>, string]>([
    ['commands of the tenant', { commandsLastMinute: 20 }, 'blast-radius cap: 20 commands were sent within a minute'],
    [
      'commands of all tenants',
      { totalCommandsLastMinute: 100 },
      'blast-radius cap: 100 commands of all tenants were sent within a minute',
    ],
    ['share of the fleet', { reach: full }, 'blast-radius cap: 4 of 40 agents are contained already'],
  ])('above the cap on %s', (_, facts, reason) => {
    expect(held({ facts })).toMatchObject({ delivery: 'propose', waitsFor: 'cap', held: reason });
  });

  it('not what reaches nobody else', () => {
    expect(held({ facts: { reach: full, isContained: true } })?.delivery).toBe('send');
  });

  it('counts what it has just planned itself', () => {
    const response = { 'downgrade-posture': { mode: 'act' } } as const;
    expect(brief({ response, facts: { commandsLastMinute: 19 } })).toEqual([
      'downgrade-posture: send',
      'revoke-session: propose',
    ]);
  });

  it('what rests on what peers do alike', () => {
    const facts = { sharedBehaviour: 'all call audit_note' };
    expect(held({ facts })).toMatchObject({ delivery: 'propose', waitsFor: 'peers', held: 'all call audit_note' });
    expect(held({ facts: { ...facts, mode: 'observe' } })?.delivery).toBe('dry-run');
  });

  it('what was contained too often, or was just lifted', () => {
    const now = 100_000_000;
    const often = { containedAt: [now - 3, now - 2, now - 1] };
    expect(held({ facts: { now, scope: () => often } })).toMatchObject({
      delivery: 'propose',
      waitsFor: 'cool-down',
      held: 'cool-down: contained 3 times within 24 h',
    });
    const lifted = { containedAt: [], liftedAt: now - 5 * 60_000 };
    expect(held({ facts: { now, scope: () => lifted } })).toMatchObject({
      held: 'cool-down: a person lifted this 5 min ago',
    });
  });
});

describe('what becomes of a proposal', () => {
  const answer = (mode: 'propose' | 'act', situation: Situation = {}) =>
    commandsOf({ response: { 'revoke-session': { mode, onTimeout: 'approve' } }, ...situation })[0]?.onTimeout;

  it('is as the rung says, but silence approves only what only the mode made a proposal', () => {
    expect(answer('propose')).toBe('approve');
    expect(answer('propose', { about: { emitters: 1 } })).toBe('expire');
    expect(answer('propose', { facts: { commandsLastMinute: 20 } })).toBe('expire');
    expect(answer('propose', { facts: { sharedBehaviour: 'all do' } })).toBe('expire');
    expect(answer('act', { about: { emitters: 1 } })).toBe('expire');
    const listed: ResponseOverride = { 'revoke-session': { mode: 'propose', onTimeout: 'approve' }, neverAct: ['*'] };
    expect(commandsOf({ response: listed })[0]?.onTimeout).toBe('expire');
  });

  it('escalates whatever the reason', () => {
    const response = { 'revoke-session': { onTimeout: 'escalate' } } as const;
    expect(commandsOf({ response, about: { emitters: 1 } })[0]?.onTimeout).toBe('escalate');
  });
});

it('says why a rung is not climbed', () => {
  const why = (situation: Situation) =>
    Object.fromEntries(
      decisions(situation).map((one) => [one.rung, one.command?.why ?? ('why' in one ? one.why : '')]),
    );
  const { sessionId: _, tool: __, ...bare } = policyCase({ severity: 'medium' });
  const policy = STANDARD_RESPONSE;
  const plan = planResponse(bare, { policy, caps: WIDE_CAPS }, policyFacts());
  expect(plan).toEqual([
    { rung: 'downgrade-posture', command: undefined, why: 'it is off' },
    { rung: 'freeze-tool', command: undefined, why: 'no signal names a tool' },
    { rung: 'revoke-session', command: undefined, why: 'the incident has no session' },
    { rung: 'suspend-agent', command: undefined, why: '0 of 3 earlier incidents were true or contained' },
  ]);
  expect(why({ facts: { toolSessions: () => 2, stands: () => true, priorIncidents: () => 3 } })).toEqual({
    'downgrade-posture': 'it is off',
    'freeze-tool': 'misused in 2 of 5 sessions',
    'revoke-session': 'the agent is restricted so already, or a person is asked about it',
    'suspend-agent': 'the agent is restricted so already, or a person is asked about it',
  });
  expect(why({ about: { severity: 'medium' } })['revoke-session']).toBe('severity medium is below high');
  expect(why({ response: { 'revoke-session': { emitters: 4 } } })['revoke-session']).toBe('2 of 4 emitters agree');
  expect(why({ facts: { settled: () => true } })['revoke-session']).toBe('this incident has caused it already');
});

describe('any policy about any incident', () => {
  const severity = fc.constantFrom(...SEVERITIES);
  const agents = fc.oneof(fc.constant<string[]>([]), fc.subarray(['agent-a', 'agent-*', 'agent-b', '*']));
  const rung = fc.record(
    {
      mode: fc.constantFrom(...RUNG_MODES, 'act' as const, 'act' as const),
      severity,
      emitters: fc.integer({ min: 1, max: 4 }),
      actEmitters: fc.integer({ min: 2, max: 4 }),
      priorIncidents: fc.nat(3),
      toolSessions: fc.nat(3),
      onTimeout: fc.constantFrom(...TIMEOUT_ANSWERS),
      neverAct: agents,
    },
    { requiredKeys: ['mode'] },
  );
  const response: fc.Arbitrary<ResponseOverride> = fc.record(
    {
      'downgrade-posture': rung,
      'freeze-tool': rung,
      'revoke-session': rung,
      'suspend-agent': rung,
      neverAct: agents,
      coolDown: fc.record({ containments: fc.integer({ min: 1, max: 3 }), withinMs: fc.integer({ min: 1, max: 100 }) }),
    },
    { requiredKeys: [] },
  );
  const about = fc.record({
    agentId: fc.constantFrom('agent-a', 'other'),
    severity,
    emitters: fc.nat(4),
    violation: fc.boolean(),
  });
  const now = 10_000;
  const facts = fc.record({
    mode: fc.constantFrom('observe' as const, 'act' as const, 'act' as const, 'act' as const),
    toolSessions: fc.nat(4).map((n) => () => n),
    priorIncidents: fc.nat(4).map((n) => () => n),
    commandsLastMinute: fc.nat(25),
    totalCommandsLastMinute: fc.nat(110),
    reach: fc.record({ contained: fc.nat(12), known: fc.constant(100), maxContained: fc.constant(10) }),
    isContained: fc.boolean(),
    sharedBehaviour: fc.constantFrom(undefined, undefined, undefined, 'all do'),
    scope: fc
      .record({
        containedAt: fc.array(fc.integer({ min: now - 120, max: now - 1 }), { maxLength: 3 }),
        liftedAt: fc.constantFrom(now - 1, now - 4_000_000, now - 5_000_000),
      })
      .map((history) => () => history),
    now: fc.constant(now),
  });

  it('does by itself only what evidence, lists, caps and cool-down all allow', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(response, about, facts, (over, change, known) => {
        const policy = overlayResponse(STANDARD_RESPONSE, over);
        const subject = policyCase(change);
        const plan = planResponse(subject, { policy, caps: WIDE_CAPS }, policyFacts(known));
        expect(plan.map((one) => one.rung)).toEqual([...COMMAND_ACTIONS]);
        const planned = plan.flatMap(({ command }) => command ?? []);
        const sent = planned.filter(({ delivery }) => delivery === 'send');
        for (const { delivery, action } of planned) seen.add(`${action} ${delivery}`);
        expect(known.commandsLastMinute + sent.length <= 20 || sent.length === 0).toBe(true);
        expect(known.totalCommandsLastMinute + sent.length <= 100 || sent.length === 0).toBe(true);
        for (const command of sent) expectAllowed(command.action);
        // Silence approves only what could have been sent but for the mode.
        for (const command of planned.filter(({ onTimeout }) => onTimeout === 'approve')) expectAllowed(command.action);

        function expectAllowed(action: CommandAction): void {
          expect(known.mode).toBe('act');
          expect(subject.violation || subject.emitters >= 2).toBe(true);
          for (const list of [policy.neverAct, policy[action].neverAct]) {
            expect(
              list.filter(
                (p) => p === '*' || p === subject.agentId || (p === 'agent-*' && subject.agentId === 'agent-a'),
              ),
            ).toEqual([]);
          }
          expect(known.sharedBehaviour).toBeUndefined();
          const { containedAt, liftedAt } = known.scope();
          expect(liftedAt).toBeLessThanOrEqual(now - policy.coolDown.afterLiftMs);
          const lately = containedAt.filter((time) => time > now - policy.coolDown.withinMs);
          expect(lately.length).toBeLessThan(policy.coolDown.containments);
        }
        expect(sent.length === 0 || known.isContained || known.reach.contained < 10).toBe(true);
      }),
      { numRuns: 3_000 },
    );
    const all = COMMAND_ACTIONS.flatMap((action) => ['send', 'propose', 'dry-run'].map((d) => `${action} ${d}`));
    expect([...seen].sort()).toEqual(all.sort());
  });
});

import { describe, expect, it } from 'vitest';
import type { AllowanceStatus, Lease } from '../../../src/model/allowance.js';
import { firstShare, leasedOf, limitsKey } from '../../../src/model/allowance.js';
import type { Command } from '../../../src/model/command.js';
import type { Effect } from '../../../src/model/effect.js';
import { Responder } from '../../../src/respond/responder.js';
import { circumstances, lasting, responderOptions, WIDE_CAPS } from '../../support/responses.js';
import { sampleIncident } from '../../support/samples.js';

const NOW = 10_000_000;
const CAPS = { ...WIDE_CAPS, commandsPerMinute: 6, totalCommandsPerMinute: 10 };
const PARTITIONS = 4;
const LIMITS = limitsKey(leasedOf(CAPS), PARTITIONS);

type Store = Map<string, Uint8Array>;

function partition(number: number, { store = new Map(), caps = CAPS }: { store?: Store; caps?: typeof CAPS } = {}) {
  return new Responder({
    ...responderOptions({ caps, response: lasting(600_000), load: (key) => store.get(key) }),
    place: { partition: number, partitions: PARTITIONS },
  });
}

function keep(responder: Responder, store: Store): void {
  const puts: { key: string; value: Uint8Array }[] = [];
  responder.drain(puts, []);
  for (const { key, value } of puts) store.set(key, value);
}

function attack(responder: Responder, n: number, now = NOW): Effect[] {
  const incident = sampleIncident({ id: `inc_${n}`, agentId: `agent-${n}`, sessionId: `s${n}` });
  return responder.onIncident(incident, circumstances(1), now);
}

const commands = (effects: Effect[]): Command[] => effects.flatMap((e) => (e.type === 'command' ? [e.value] : []));
const said = (effects: Effect[]): AllowanceStatus[] =>
  effects.flatMap((e) => (e.type === 'allowance' ? [e.value] : []));

const lease = (change: Partial<Lease> = {}): Lease => ({
  time: NOW,
  partition: 0,
  limits: LIMITS,
  term: 1,
  holder: 'a',
  number: 0,
  ...change,
});
const allowance = (commandsPerMinute: number, totalCommandsPerMinute = 10, minContainedAgents = 100) => ({
  commandsPerMinute,
  totalCommandsPerMinute,
  minContainedAgents,
});

describe('the caps of one partition', () => {
  it('begin as shares that add up to the caps of the install', () => {
    const whole = { commandsPerMinute: 20, totalCommandsPerMinute: 100, minContainedAgents: 3 };
    const shares = Array.from({ length: 12 }, (_, at) => firstShare(whole, { partition: at, partitions: 12 }));
    expect(shares.map((one) => one.commandsPerMinute)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1]);
    expect(shares.map((one) => one.minContainedAgents)).toEqual([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(shares.reduce((sum, one) => sum + one.totalCommandsPerMinute, 0)).toBe(100);
  });

  it('are all of them where there is one partition, and nothing is said about it', () => {
    const subject = new Responder(responderOptions({ caps: CAPS, response: lasting(600_000) }));
    const effects = Array.from({ length: 7 }, (_, n) => attack(subject, n)).flat();
    expect(commands(effects).map(({ state }) => state)).toEqual([...Array<string>(6).fill('sent'), 'proposed']);
    expect(said([...effects, ...subject.onTime(NOW + 1), ...subject.onLease(lease(), NOW)])).toEqual([]);
    expect(subject.settingsOf('agent-1').caps).toEqual(CAPS);
    const puts: { key: string; value: Uint8Array }[] = [];
    subject.drain(puts, []);
    expect(puts.filter(({ key }) => key.startsWith('allowance/'))).toEqual([]);
  });

  it('keep the partition within its share: what is beyond waits for a person, and more is asked for', () => {
    const subject = partition(0);
    const [first, second, third] = [attack(subject, 1), attack(subject, 2), attack(subject, 3)];
    expect(commands(first)).toMatchObject([{ state: 'sent' }]);
    expect(said(first)).toEqual([]);
    // Used up: it asks before anything has to wait.
    expect(said(second)).toMatchObject([{ partition: 0, revision: 1, wants: { commandsPerMinute: 4 } }]);
    expect(commands(third)).toMatchObject([{ state: 'proposed', waitsFor: 'cap' }]);
    expect(subject.takeCapped()).toMatchObject([{ reason: /2 commands were sent.*this partition/ }]);
    // Nobody answered: it asks for a minute, and then no longer.
    expect(said(subject.onTime(NOW + 30_000))).toEqual([]);
    expect(said(subject.onTime(NOW + 60_000))).toMatchObject([{ revision: 2, wants: {} }]);
  });

  it('follow leases in their order, once each', () => {
    const subject = partition(0);
    const taken = (one: Lease) => said(subject.onLease(one, NOW));
    expect(taken(lease({ number: 1, allowance: allowance(6) }))).toEqual([]);
    expect(taken(lease())).toMatchObject([{ term: 1, holder: 'a', number: 0, allowance: allowance(2, 3, 25) }]);
    expect(taken(lease({ number: 2, allowance: allowance(5) }))).toMatchObject([
      { number: 2, allowance: allowance(5) },
    ]);
    for (const late of [1, 2]) expect(taken(lease({ number: late, allowance: allowance(1) }))).toEqual([]);
    for (const other of [{ partition: 1 }, { limits: '4/1/1/1' }, { term: 0 }])
      subject.onLease(lease({ number: 3, allowance: allowance(1), ...other }), NOW);
    expect(subject.settingsOf('x').caps).toEqual({ ...CAPS, ...allowance(5) });
    expect(taken(lease({ term: 2 }))).toMatchObject([{ term: 2, number: 0, allowance: allowance(5) }]);
    // Whoever gives out leases of a term that is over is told so.
    expect(taken(lease({ number: 4, allowance: allowance(1) }))).toMatchObject([{ term: 2, allowance: allowance(5) }]);
    for (const wild of [-5, 1.5, Number.NaN, 1e300]) {
      const { number } = subject.allowance(NOW);
      subject.onLease(lease({ term: 2, number: number + 1, allowance: allowance(wild) }), NOW);
      expect([0, 6]).toContain(subject.settingsOf('x').caps.commandsPerMinute);
    }
  });

  it('hold what was sent in the last minute against whoever gets it next', () => {
    const subject = partition(0);
    attack(subject, 1);
    attack(subject, 2);
    subject.onLease(lease(), NOW + 1_000);
    const lowered = subject.onLease(lease({ number: 1, allowance: allowance(0, 0, 0) }), NOW + 1_000);
    expect(said(lowered)).toMatchObject([{ allowance: allowance(0, 0, 0), held: allowance(2, 2, 2) }]);
    expect(commands(attack(subject, 3, NOW + 2_000))).toMatchObject([{ state: 'proposed' }]);
    expect(said(subject.onTime(NOW + 30_000))).toEqual([]);
    // Two agents are contained for ten minutes.
    expect(said(subject.onTime(NOW + 60_000))).toMatchObject([{ held: allowance(0, 0, 2) }]);
    expect(said(subject.onTime(NOW + 600_001))).toMatchObject([{ held: allowance(0, 0, 0) }]);
  });

  it('are the same after a restart', () => {
    const store: Store = new Map();
    const before = partition(0, { store });
    before.onLease(lease(), NOW);
    before.onLease(lease({ number: 1, allowance: allowance(1) }), NOW);
    attack(before, 1);
    keep(before, store);
    const after = partition(0, { store });
    expect(after.allowance(NOW)).toEqual(before.allowance(NOW));
    expect(commands(attack(after, 2))).toMatchObject([{ state: 'proposed' }]);
    expect(said(after.onTime(NOW + 1))).toEqual(said(before.onTime(NOW + 1)));
  });

  it('are never more than under either, where the configured ones were changed', () => {
    const store: Store = new Map();
    const before = partition(0, { store });
    before.onLease(lease(), NOW);
    before.onLease(lease({ number: 1, allowance: allowance(1, 9, 100) }), NOW);
    keep(before, store);
    const caps = { ...CAPS, commandsPerMinute: 40, totalCommandsPerMinute: 4 };
    const after = partition(0, { store, caps });
    expect(after.settingsOf('x').caps).toMatchObject(allowance(1, 1, 25));
    expect(said(after.onTime(NOW + 1))).toMatchObject([{ limits: limitsKey(leasedOf(caps), PARTITIONS), revision: 3 }]);
    keep(after, store);
    expect(partition(0, { store }).settingsOf('x').caps).toMatchObject(allowance(1, 1, 25));
  });
});

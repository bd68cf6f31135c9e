import { describe, expect, it } from 'vitest';
import { BaselineRegistry } from '../../../src/baseline/registry.js';
import type { Observation } from '../../../src/model/observation.js';
import { attempt, call, prompt } from '../../support/behaviour.js';
import { live, office, ordinary } from '../../support/office.js';

const T = 't';
const PEOPLE = ['anna', 'boris', 'chloe', 'dmitri', 'emma'];

/** Looks up a customer: what support agents do, whatever they are asked. */
function lookUp(n: number, agentId: string): Observation[] {
  const where = { agentId, sessionId: `l${n}`, at: n * 1_000 };
  return [
    prompt(where, `What do we know of customer ${PEOPLE[n % PEOPLE.length] ?? ''} number ${n}`),
    call({ ...where, at: where.at + 1, callId: 'c1' }, { tool: 'read_customer', args: { name: `customer${n}` } }),
  ];
}

/** How surprising it is that an agent pays somebody, nats. */
function surpriseAtPaying(
  registry: BaselineRegistry,
  agentId: string,
  request = 'Please look at the rent bill and pay anna',
): number {
  const where = { agentId, sessionId: 'q', at: 9_000_000 };
  registry.apply(prompt(where, request));
  const acting = { tool: 'send_money', effect: 'write' as const, args: { to: 'anna' }, origin: 'prompt' as const };
  const { measures } = registry.assess(attempt({ ...where, at: where.at + 1, callId: 'c9' }, acting));
  registry.closeSession({ tenant: T, agentId, sessionId: 'q' }, 'discard');
  return measures.get('requestTool')?.nats ?? 0;
}

function classes() {
  const made = office();
  const peers = new Map([['turncoat', 'finance']]);
  const peersOf = (agentId: string) => peers.get(agentId) ?? agentId.split('-')[0] ?? '';
  const options = { ...made.options, peersOf };
  return { registry: new BaselineRegistry(options), options, store: made.store, peers };
}

describe('a new agent', () => {
  it('leans on the agents of its own class and on no others', () => {
    const { registry } = classes();
    for (let n = 0; n < 40; n++) live(registry, ordinary(n, 'finance-1'));
    for (let n = 0; n < 40; n++) live(registry, lookUp(n, 'support-1'));
    const inFinance = surpriseAtPaying(registry, 'finance-2');
    const inSupport = surpriseAtPaying(registry, 'support-2');
    expect(inFinance).toBeLessThan(1);
    expect(inSupport).toBeGreaterThan(inFinance + 2);
  });

  it('leans less and less as it shows what it does itself', () => {
    const { registry } = classes();
    for (let n = 0; n < 40; n++) live(registry, ordinary(n, 'finance-1'));
    const surprises: number[] = [];
    for (let n = 0; n < 60; n++) {
      if (n % 15 === 0) surprises.push(surpriseAtPaying(registry, 'finance-2', 'Kindly shorten yesterday'));
      live(registry, lookUp(n, 'finance-2'));
    }
    expect(surprises).toEqual([...surprises].sort((a, b) => a - b));
    expect(surprises.at(-1)).toBeGreaterThan((surprises[0] ?? 0) + 0.5);
  });
});

describe('an agent whose class has changed', () => {
  it('is taken back out of the pool that it was counted in, and the new one stays as it was', () => {
    const { registry, peers, options, store } = classes();
    for (let n = 0; n < 40; n++) live(registry, lookUp(n, 'support-1'));
    for (let n = 0; n < 20; n++) live(registry, ordinary(n, 'turncoat'));
    registry.published.publish(T, 'turncoat', 1);
    const before = [surpriseAtPaying(registry, 'finance-9'), surpriseAtPaying(registry, 'support-9')];
    for (let n = 20; n < 50; n++) live(registry, ordinary(n, 'turncoat'));
    peers.set('turncoat', 'support');
    registry.published.rollBack(T, 'turncoat', { rollback: { toVersion: 1, by: 'ann', reason: 'why not' }, time: 2 });
    expect([surpriseAtPaying(registry, 'finance-9'), surpriseAtPaying(registry, 'support-9')]).toEqual(before);
    store.commit(registry);
    const again = new BaselineRegistry(options);
    again.restore();
    expect([surpriseAtPaying(again, 'finance-9'), surpriseAtPaying(again, 'support-9')]).toEqual(before);
  });
});

describe('what is measured', () => {
  it('knows its sample size, whatever it is', () => {
    const { registry } = classes();
    for (let n = 0; n < 40; n++) live(registry, ordinary(n, 'finance-1'));
    const where = { agentId: 'finance-1', sessionId: 'q', at: 9_000_000 };
    registry.apply(prompt(where, 'Please look at the rent bill and pay anna'));
    registry.apply(call({ ...where, at: where.at + 1, callId: 'c1' }, { tool: 'read_bill', args: { name: 'rent' } }));
    const acting = { tool: 'wipe_disk', effect: 'write' as const, args: { to: 'mallory' }, origin: 'result' as const };
    const { measures } = registry.assess(attempt({ ...where, at: where.at + 2, callId: 'c2' }, acting));
    expect(measures.size).toBeGreaterThan(6);
    expect([...measures].filter(([, { sampleSize }]) => !(sampleSize > 0))).toEqual([]);
  });
});

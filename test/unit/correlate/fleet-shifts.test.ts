import { describe, expect, it } from 'vitest';
import type { CauseState } from '../../../src/correlate/fleet-cause.js';
import { tailNats } from '../../../src/correlate/fleet-incident.js';
import {
  CAUSE_PREFIX,
  FleetShifts,
  type FleetShiftOptions,
  type Showing,
} from '../../../src/correlate/fleet-shifts.js';
import type { NovelCall } from '../../../src/correlate/novelty.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { memoryStore } from '../../support/memory-store.js';

const NOTE = { key: 'tool:audit_note', about: 'began to call audit_note' };
const MINUTE_MS = 60_000;

function shifts(change: Partial<FleetShiftOptions> = {}): FleetShifts {
  return new FleetShifts({
    minAgents: 4,
    share: 0.2,
    windowMs: 30 * MINUTE_MS,
    verdictMs: 1_000_000,
    openMs: 5_000_000,
    active: () => 20,
    ...change,
  });
}

function showing(agent: number, change: Partial<Showing> = {}): Showing {
  const time = change.time ?? agent * MINUTE_MS;
  return {
    tenant: 't',
    agentClass: 'support',
    agentId: `support-${agent}`,
    causes: [NOTE],
    time,
    now: time,
    isFirm: false,
    target: undefined,
    words: [1, 2],
    line: { time, stream: 'action', text: `support-${agent} calls audit_note`, refId: `o-${agent}` },
    threshold: { budget: 0.01, calibrationGroups: 100 },
    ...change,
  };
}

function noteCall(change: Partial<NovelCall> = {}): NovelCall {
  return { cause: NOTE.key, nats: 12, toolNats: 4, argumentNats: 6, words: [1, 2], wordCount: 2, ...change };
}

const show = (fleet: FleetShifts, agents: number, change: Partial<Showing> = {}) =>
  Array.from({ length: agents }, (_, i) => fleet.show(showing(i, change))).flat();

describe('FleetShifts', () => {
  it('opens one incident when enough agents show the same change, and lets it grow', () => {
    const fleet = shifts();
    expect(show(fleet, 3)).toEqual([]);
    expect(fleet.damping('t', 'support')).toBeUndefined();
    const [opened] = fleet.show(showing(3));
    expect(opened).toMatchObject({ opened: true, nature: 'release' });
    expect(opened?.incident).toMatchObject({
      agentId: 'class:support',
      title:
        '4 of 20 support agents began to call audit_note within 3 minutes; nothing in their targets or sources is new',
      fleet: { nature: 'release', agents: 4, peers: 20 },
    });
    const [grown] = fleet.show(showing(4));
    expect(grown).toMatchObject({ opened: false, incident: { id: opened?.incident.id, fleet: { agents: 5 } } });
    expect(grown?.incident.timeline.map(({ refId }) => refId)).toEqual(['o-0', 'o-1', 'o-2', 'o-3', 'o-4']);
    const { arithmetic = [], riskNats } = grown?.incident ?? {};
    expect(arithmetic.reduce((sum, { nats }) => sum + nats, 0)).toBe(riskNats);
  });

  it('counts an agent once, however often it shows it', () => {
    const fleet = shifts();
    for (let i = 0; i < 20; i++) expect(fleet.show(showing(1, { time: i }))).toEqual([]);
  });

  it('needs its share of the active agents, and the same class, tenant and time', () => {
    expect(show(shifts({ active: () => 21 }), 4)).toEqual([]);
    const apart = shifts();
    for (let i = 0; i < 3; i++) apart.show(showing(i));
    expect(apart.show(showing(3, { agentClass: 'coding' }))).toEqual([]);
    expect(apart.show(showing(3, { tenant: 'other' }))).toEqual([]);
    expect(apart.show(showing(3, { causes: [{ key: 'tool:other', about: '' }] }))).toEqual([]);
    expect(apart.show(showing(3, { time: 31 * MINUTE_MS }))).toEqual([]);
    // The window ends there: the first two are too long ago.
    expect(apart.show(showing(4, { time: 31 * MINUTE_MS }))).toEqual([]);
    expect(apart.show(showing(5, { time: 31 * MINUTE_MS }))).toHaveLength(1);
  });

  it('explains the tool, and words that other agents say too, of exactly that cause', () => {
    const fleet = shifts();
    show(fleet, 4);
    const damping = fleet.damping('t', 'support');
    expect(damping?.call(noteCall())?.nats).toBe(10);
    expect(damping?.call(noteCall({ words: [1, 9] }))?.nats).toBe(7);
    expect(damping?.call(noteCall({ words: [8, 9] }))?.nats).toBe(4);
    expect(damping?.call(noteCall({ cause: 'tool:delete_all' }))).toBeUndefined();
    expect(fleet.damping('t', 'coding')).toBeUndefined();
  });

  it('says campaign where as many agents have a new target, and explains nothing then', () => {
    const fleet = shifts();
    const target = { hash: 7, value: 'drop@evil.example' };
    const changes = show(fleet, 5, { isFirm: true, target });
    expect(changes.at(-1)?.incident).toMatchObject({
      severity: 'critical',
      title:
        'campaign: 5 of 20 support agents began to call audit_note within 4 minutes; 5 of them on the same new target drop@evil.example',
    });
    expect(fleet.damping('t', 'support')).toBeUndefined();
  });

  it('turns a release into a campaign when attackers ride on it, and never back', () => {
    const fleet = shifts();
    show(fleet, 4);
    for (let i = 10; i < 13; i++) fleet.show(showing(i, { isFirm: true }));
    expect(fleet.damping('t', 'support')).toBeDefined();
    const [turned] = fleet.show(showing(13, { isFirm: true }));
    expect(turned).toMatchObject({ nature: 'campaign', incident: { severity: 'critical' } });
    expect(fleet.damping('t', 'support')).toBeUndefined();
    expect(fleet.show(showing(14))).toMatchObject([{ nature: 'campaign' }]);
  });

  it('opens one campaign over a shared target, not another one over the tool', () => {
    const fleet = shifts();
    const target = { hash: 7, value: 'drop@evil.example' };
    const causes = [{ key: 'target:7', about: 'acted on drop@evil.example, which is new to them' }, NOTE];
    const changes = show(fleet, 6, { isFirm: true, target, causes });
    expect(new Set(changes.map(({ incident }) => incident.id)).size).toBe(1);
    expect(changes[0]?.incident.title).toContain('acted on drop@evil.example');
  });

  const verdict = (incidentId: string, judged: 'benign-expected' | 'true-positive') =>
    ({ time: 1, tenant: 't', incidentId, verdict: judged, by: 'anna' }) as const;

  it('is settled by one verdict, once', () => {
    const fleet = shifts();
    const id = show(fleet, 4)[0]?.incident.id ?? '';
    fleet.gather('t', id, 'inc_a');
    expect(fleet.quarantineKey('t', id, 'support-2')).toBe(`${id}/support-2`);
    expect(fleet.onVerdict(verdict(id, 'benign-expected'), 10)).toEqual({
      incidentIds: ['inc_a'],
      quarantines: ['', 'support-0', 'support-1', 'support-2', 'support-3'].map((agent) => `${id}/${agent}`),
    });
    expect(fleet.onVerdict(verdict(id, 'benign-expected'), 10)).toBeUndefined();
    // Agents that begin later are explained by it and open nothing.
    expect(fleet.show(showing(9, { time: 99 * MINUTE_MS }))).toEqual([]);
    expect(fleet.damping('t', 'support')?.call(noteCall())).toBeDefined();
    fleet.expire(10 + 1_000_001);
    expect(fleet.damping('t', 'support')).toBeUndefined();
    expect(fleet.statusOf('t', id)).toBeUndefined();
  });

  it('explains nothing any more once a person judged it an attack, or nobody judged it for long', () => {
    const convicted = shifts();
    const id = show(convicted, 4)[0]?.incident.id ?? '';
    convicted.onVerdict(verdict(id, 'true-positive'), 10);
    expect(convicted.damping('t', 'support')).toBeUndefined();
    expect(convicted.show(showing(9))).toEqual([]);
    const forgotten = shifts();
    show(forgotten, 4);
    forgotten.expire(3 * MINUTE_MS + 5_000_001);
    expect(forgotten.damping('t', 'support')).toBeUndefined();
  });

  it('bounds causes without letting one agent push out what several showed', () => {
    const fleet = shifts();
    show(fleet, 3);
    for (let i = 0; i < 500; i++) fleet.show(showing(50, { time: i, causes: [{ key: `tool:x${i}`, about: '' }] }));
    expect(fleet.stats()).toMatchObject({ causes: 64, causesEvicted: 437 });
    expect(fleet.show(showing(3))).toHaveLength(1);
  });

  it('tells at most so many agents apart', () => {
    const fleet = shifts({ active: () => 1_000 });
    const changes = show(fleet, 400, { time: 5 });
    expect(changes.at(-1)?.incident.fleet?.agents).toBe(256);
  });

  it('is the same after a restart at any moment', () => {
    const store = memoryStore();
    const straight = shifts();
    let restarted = shifts();
    for (let i = 0; i < 40; i++) {
      const one = showing((i * 5) % 13, { time: i * 4 * MINUTE_MS, isFirm: i % 6 === 0, words: [i % 3, 1] });
      expect(restarted.show(one)).toEqual(straight.show(one));
      for (const fleet of [straight, restarted]) fleet.noteIncident(one, `inc_${i}`);
      store.commit(restarted);
      restarted = shifts();
      restarted.restore([...store.entries(CAUSE_PREFIX)].map(({ value }) => decodeState(value) as CauseState));
      expect(restarted.damping('t', 'support')?.call(noteCall())).toEqual(
        straight.damping('t', 'support')?.call(noteCall()),
      );
    }
  });
});

describe('the arithmetic of a shift', () => {
  it('is the upper tail of the binomial distribution', () => {
    expect(tailNats(1, 1, 0.01)).toBeCloseTo(-Math.log(0.01), 12);
    expect(tailNats(2, 3, 0.5)).toBeCloseTo(-Math.log(0.5), 12);
    expect(tailNats(4, 4, 0.01)).toBeCloseTo(-4 * Math.log(0.01), 10);
    expect(tailNats(0, 10, 0.01)).toBe(0);
    expect(tailNats(256, 100_000, 0.01)).toBeCloseTo(0, 9);
    expect(tailNats(18, 22, 0.01)).toBeGreaterThan(70);
  });
});

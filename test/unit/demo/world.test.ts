import { describe, expect, it } from 'vitest';
import { wireObservationSchema } from '../../../src/model/wire.js';
import { makeIban } from '../../../src/demo/names.js';
import { seededRandom } from '../../../src/demo/random.js';
import { auditOf } from '../../../src/demo/rhythm.js';
import { STORIES } from '../../../src/demo/stories/stories.js';
import { makeWorld } from '../../../src/demo/world.js';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const world = (seed: number) => makeWorld({ seed, nowMs: NOW, stories: STORIES });

describe('the world of the demo', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 99])('has in world %i everything that a story needs', (seed) => {
    const { fleet, history, acts } = world(seed);
    expect(fleet.length).toBeGreaterThanOrEqual(40);
    expect(new Set(fleet.map(({ id }) => id)).size).toBe(fleet.length);
    expect(new Set(fleet.map(({ id }) => id.split('-')[0]))).toEqual(
      new Set(['support', 'finops', 'coder', 'analyst', 'infra']),
    );
    expect(acts).toHaveLength(7);
    const sessions = new Map<string, number>();
    for (const shift of history) {
      for (const { speaker, sessionId } of shift) {
        if (speaker !== 'gateway') continue;
        const agentId = sessionId.split('-').slice(0, 2).join('-');
        sessions.set(agentId, (sessions.get(agentId) ?? 0) + 1);
      }
    }
    expect(sessions.size).toBe(fleet.length);
  });

  it('is the same for the same seed, and another for another', () => {
    const lines = (seed: number) => JSON.stringify(world(seed).history);
    expect(lines(1)).toBe(lines(1));
    expect(lines(1)).not.toBe(lines(2));
  });

  it('speaks the wire format on all four streams, in order of time, and never of the future', () => {
    const { history, acts } = world(3);
    const streams = new Set<string>();
    const ids = new Set<string>();
    let records = 0;
    for (const happenings of [...history, ...acts.map((act) => act.happenings)]) {
      let last = 0;
      for (const happening of happenings) {
        expect(happening.timeMs).toBeGreaterThanOrEqual(last);
        last = happening.timeMs;
        for (const record of happening.speaker === 'gateway' ? auditOf(happening) : [happening.observation]) {
          streams.add(wireObservationSchema.parse(record).stream);
          ids.add(record.id ?? '');
          records++;
        }
      }
      expect(last).toBeLessThan(NOW);
    }
    expect([...streams].sort()).toEqual(['action', 'governance', 'metric', 'reasoning']);
    expect(ids.size).toBe(records);
  });

  it('gives every agent one story at most, but for the one about all of them', () => {
    const { acts } = world(5);
    const stars = acts.slice(0, -1).flatMap(({ scene }) => scene.stars);
    expect(new Set(stars).size).toBe(stars.length);
    for (const { scene } of acts) expect(scene.shown.size).toBeGreaterThan(1);
  });

  it('makes account numbers with right check digits', () => {
    const random = seededRandom(4);
    for (let i = 0; i < 50; i++) {
      const iban = makeIban(random);
      expect(iban).toMatch(/^DE\d{20}$/);
      expect(BigInt(`${iban.slice(4)}1314${iban.slice(2, 4)}`) % 97n).toBe(1n);
    }
  });
});

describe('seeded chance', () => {
  it('forks into streams that do not depend on what the others draw', () => {
    const quiet = seededRandom(8);
    const busy = seededRandom(8);
    busy.next();
    busy.fork('b').next();
    expect(busy.fork('a').next()).toBe(quiet.fork('a').next());
    expect(seededRandom(8).fork('a').next()).not.toBe(seededRandom(8).fork('b').next());
  });

  it('stays within its bounds', () => {
    const random = seededRandom('bounds');
    const draws = Array.from({ length: 2_000 }, () => random.int(3, 6));
    expect(new Set(draws)).toEqual(new Set([3, 4, 5, 6]));
    expect(new Set(random.some([1, 2, 3], 9))).toEqual(new Set([1, 2, 3]));
    expect(Array.from({ length: 500 }, () => random.around(100)).every((x) => x > 0)).toBe(true);
    expect(() => random.pick([])).toThrow('nothing to pick from');
  });
});

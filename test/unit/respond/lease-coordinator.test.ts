import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LEASED_LIMITS,
  leasedOf,
  type AllowanceStatus,
  type Lease,
  type LeasedLimit,
} from '../../../src/model/allowance.js';
import type { ResponseCaps } from '../../../src/model/response-policy.js';
import { LeaseCoordinator } from '../../../src/respond/lease-coordinator.js';
import { LeasedPartition } from '../../support/leased-partition.js';

const CAPS: ResponseCaps = {
  commandsPerMinute: 7,
  totalCommandsPerMinute: 11,
  maxContainedShare: 0.1,
  minContainedAgents: 3,
};
const PARTITIONS = 4;

/** Partitions, coordinators, and records on their way to logs, in any order. */
class World {
  readonly partitions: LeasedPartition[];
  readonly coordinators: { coordinator: LeaseCoordinator; heard: number[] }[] = [];
  /** Records that were given out: some arrive late, some twice, some never. */
  readonly sent: Lease[] = [];
  now = 1_000_000;
  #coordinators = 0;

  constructor(partitions = PARTITIONS, caps = CAPS) {
    this.partitions = Array.from({ length: partitions }, (_, partition) => {
      return new LeasedPartition({ caps, place: { partition, partitions } });
    });
  }

  begin(caps = CAPS): LeaseCoordinator {
    const holder = `node-${this.#coordinators++}`;
    const coordinator = new LeaseCoordinator({ partitions: this.partitions.length, caps, holder });
    this.coordinators.push({ coordinator, heard: this.partitions.map(() => 0) });
    return coordinator;
  }

  /** A coordinator hears some of what a partition has said, and gives out leases. */
  coordinate(which: number, partition: number, upTo: number): void {
    const one = this.coordinators[which % Math.max(1, this.coordinators.length)];
    const place = partition % this.partitions.length;
    const said = this.partitions[place]?.said ?? [];
    if (one === undefined) return;
    const from = one.heard[place] ?? 0;
    for (const status of said.slice(from, from + upTo)) one.coordinator.note(status);
    one.heard[place] = Math.min(said.length, from + upTo);
    this.sent.push(...one.coordinator.next(this.now));
  }

  deliver(index: number): void {
    const lease = this.sent[index % Math.max(1, this.sent.length)];
    if (lease !== undefined) this.partitions[lease.partition]?.append({ type: 'lease', lease });
  }

  /** A partition begins with nothing. */
  lose(partition: number): void {
    const place = { partition, partitions: this.partitions.length };
    this.partitions[partition] = new LeasedPartition({ caps: CAPS, place });
    for (const { heard } of this.coordinators) heard[partition] = 0;
  }

  /** Somebody hears again what was said before. */
  repeat(which: number, index: number): void {
    const said = this.partitions.flatMap((partition) => partition.said);
    const status = said[index % Math.max(1, said.length)];
    if (status !== undefined)
      this.coordinators[which % Math.max(1, this.coordinators.length)]?.coordinator.note(status);
  }

  /**
   * One who hears all, whose records all arrive: as things mostly are.
   *
   * @param lost partitions that no record reaches, as bits
   */
  round(which = this.coordinators.length - 1, lost = 0): void {
    this.now += 1_000;
    const one = this.coordinators[which];
    if (one === undefined) throw new Error('nobody coordinates');
    this.partitions.forEach((partition, place) => {
      partition.append({ type: 'tick', now: this.now });
      for (const status of partition.said.slice(one.heard[place])) one.coordinator.note(status);
      one.heard[place] = partition.said.length;
    });
    if (one.coordinator.isDeposed) one.coordinator.renew();
    for (const lease of [...one.coordinator.outstanding(), ...one.coordinator.next(this.now)]) {
      this.sent.push(lease);
      if (((lost >> lease.partition) & 1) === 0) this.partitions[lease.partition]?.append({ type: 'lease', lease });
    }
  }

  /** Limits of which all partitions together may use, or have used, more than there is. */
  excess(): { limit: LeasedLimit; may: number[] }[] {
    return LEASED_LIMITS.flatMap((limit) => {
      const may = this.partitions.map((one) => Math.max(one.caps[limit], one.used(limit, this.now)));
      return may.reduce((a, b) => a + b, 0) <= CAPS[limit] ? [] : [{ limit, may }];
    });
  }
}

const nat = fc.nat(1_000);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('round' as const),
      which: nat,
      lost: fc.constantFrom(0, 0, 1, 2, 4, 8, 15),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('use' as const), partition: nat, count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('coordinate' as const),
      which: nat,
      partition: nat,
      upTo: fc.integer({ min: 0, max: 5 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('deliver' as const), index: nat }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('tick' as const), partition: nat, ms: fc.integer({ min: 1, max: 50_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), partition: nat }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('checkpoint' as const), partition: nat }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('renew' as const), which: nat }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), which: nat, index: nat }) },
);

function take(world: World, one: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  const partition = 'partition' in one ? world.partitions[one.partition % world.partitions.length] : undefined;
  switch (one.do) {
    case 'use':
      partition?.append({ type: 'use', now: world.now, count: one.count });
      break;
    case 'coordinate':
      world.coordinate(one.which, one.partition, one.upTo);
      break;
    case 'deliver':
      world.deliver(one.index);
      break;
    case 'tick':
      world.now += one.ms;
      for (const all of world.partitions) all.append({ type: 'tick', now: world.now });
      break;
    case 'crash':
      partition?.crash();
      break;
    case 'checkpoint':
      partition?.checkpoint();
      break;
    case 'begin':
      world.begin();
      break;
    case 'renew':
      world.coordinators[one.which % Math.max(1, world.coordinators.length)]?.coordinator.renew();
      break;
    case 'repeat':
      world.repeat(one.which, one.index);
      break;
    case 'round':
      world.round(one.which % world.coordinators.length, one.lost);
      break;
  }
}

describe('LeaseCoordinator', () => {
  it('never lets all partitions together have more than the caps, whoever crashes and whatever comes late or twice', () => {
    let moved = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 80, maxLength: 250 }), (steps) => {
        const world = new World();
        world.begin();
        for (const one of steps) {
          take(world, one);
          expect(world.excess()).toEqual([]);
        }
        if (world.partitions.some(({ said }) => said.some(({ number }) => number > 0))) moved++;
        // Whatever has happened, the next one gets everything going again, and nothing of the caps is lost.
        world.begin();
        for (let round = 0; round < 4; round++) world.round();
        const hungry = world.partitions[steps.length % PARTITIONS];
        for (let round = 0; round < 100; round++) {
          if (round % 5 === 0) hungry?.append({ type: 'use', now: world.now, count: 1_000 });
          world.round();
          expect(world.excess()).toEqual([]);
        }
        expect(hungry?.caps.commandsPerMinute).toBeGreaterThanOrEqual(CAPS.commandsPerMinute - PARTITIONS + 1);
      }),
      { numRuns: 200 },
    );
    expect(moved).toBeGreaterThan(50);
  });

  it('gives a hungry partition what idle ones have, within a few steps', () => {
    const caps = { ...CAPS, commandsPerMinute: 20, totalCommandsPerMinute: 100 };
    const world = new World(12, caps);
    world.begin(caps);
    world.round();
    const [first, , , , , , , , , , , last] = world.partitions;
    expect([first?.caps.commandsPerMinute, last?.caps.commandsPerMinute]).toEqual([2, 1]);
    const seen: number[] = [];
    for (let round = 0; round < 12; round++) {
      last?.append({ type: 'use', now: world.now, count: 30 });
      world.round();
      seen.push(last?.caps.commandsPerMinute ?? 0);
    }
    // Everybody else keeps one, so that its first command need not wait.
    expect(seen.at(-1)).toBe(9);
    expect(seen[3]).toBeGreaterThan(2);
    expect(world.partitions.slice(0, -1).map((one) => one.caps.commandsPerMinute)).toEqual(Array(11).fill(1));
  });

  it('gives one to a partition that began with none', () => {
    const caps = { ...CAPS, commandsPerMinute: 2, totalCommandsPerMinute: 2 };
    const world = new World(4, caps);
    world.begin(caps);
    const last = world.partitions[3];
    for (let round = 0; round < 6; round++) {
      last?.append({ type: 'use', now: world.now, count: 1 });
      world.round();
    }
    expect(last?.caps.commandsPerMinute).toBe(1);
    expect(last?.used('commandsPerMinute', world.now)).toBe(1);
  });

  it('shares between two that both ask', () => {
    const world = new World(2);
    world.begin();
    const [one, other] = world.partitions;
    for (let round = 0; round < 5; round++) {
      one?.append({ type: 'use', now: world.now, count: 9 });
      world.round();
    }
    expect([one?.caps.commandsPerMinute, other?.caps.commandsPerMinute]).toEqual([6, 1]);
    // What was sent in the last minute still counts where it was sent: it moves as it ages.
    for (let round = 0; round < 150; round++) {
      one?.append({ type: 'use', now: world.now, count: 9 });
      other?.append({ type: 'use', now: world.now, count: 9 });
      world.round();
    }
    const had = [one?.caps.commandsPerMinute ?? 0, other?.caps.commandsPerMinute ?? 0];
    expect(Math.abs((had[0] ?? 0) - (had[1] ?? 0))).toBeLessThanOrEqual(1);
    expect((had[0] ?? 0) + (had[1] ?? 0)).toBe(7);
  });

  it('moves what it can while a partition has no owner, and does not count what it cannot know', () => {
    const world = new World(3);
    const coordinator = world.begin();
    const [asking, idle] = world.partitions;
    // Nothing reaches the third one.
    const reached = world.partitions.slice(0, 2);
    const statuses = (): AllowanceStatus[] => reached.flatMap(({ said }) => said);
    for (let round = 0; round < 6; round++) {
      asking?.append({ type: 'use', now: world.now, count: 9 });
      for (const status of statuses()) coordinator.note(status);
      for (const lease of coordinator.next(world.now)) reached[lease.partition]?.append({ type: 'lease', lease });
    }
    expect(coordinator.standing().silent).toEqual([2]);
    expect([asking?.caps.commandsPerMinute, idle?.caps.commandsPerMinute]).toEqual([4, 1]);
  });

  it('gives nothing out once another one has begun a later term, and may begin a later one itself', () => {
    const world = new World();
    const old = world.begin();
    world.round();
    world.round();
    world.begin();
    world.round();
    for (const status of world.partitions.flatMap(({ said }) => said)) old.note(status);
    expect(old.isDeposed).toBe(true);
    expect([...old.next(world.now), ...old.outstanding()]).toEqual([]);
    old.renew();
    expect(old.next(world.now).map(({ term, number }) => [term, number])).toEqual(world.partitions.map(() => [2, 0]));
  });

  it('waits for a partition whose owner has other limits configured, and tells of it', () => {
    const world = new World();
    const coordinator = world.begin({ ...CAPS, commandsPerMinute: 50 });
    world.round();
    world.round();
    expect(coordinator.standing()).toMatchObject({ silent: [0, 1, 2, 3], otherLimits: [0, 1, 2, 3] });
    expect(world.partitions.map((one) => one.caps.commandsPerMinute)).toEqual([2, 2, 2, 1]);
  });

  it('takes back what is too much, after a partition has lost its state for good', () => {
    const world = new World(2);
    const coordinator = world.begin();
    for (let round = 0; round < 5; round++) {
      world.partitions[0]?.append({ type: 'use', now: world.now, count: 9 });
      world.round();
    }
    world.now += 60_000;
    const sum = () => world.partitions.reduce((all, one) => all + one.caps.commandsPerMinute, 0);
    world.lose(1);
    expect(sum()).toBeGreaterThan(CAPS.commandsPerMinute);
    coordinator.renew();
    for (let round = 0; round < 3; round++) world.round();
    expect(sum()).toBe(CAPS.commandsPerMinute);
  });

  it('gives the same leases to the same statuses', () => {
    const run = (): Lease[] => {
      const world = new World();
      const coordinator = world.begin();
      const given: Lease[] = [];
      for (let round = 0; round < 8; round++) {
        world.partitions[round % 3]?.append({ type: 'use', now: world.now, count: 3 });
        world.round();
        given.push(...coordinator.outstanding());
      }
      return given;
    };
    expect(run()).toEqual(run());
    expect(run().some(({ number }) => number > 0)).toBe(true);
    expect(leasedOf(CAPS)).toEqual({ commandsPerMinute: 7, totalCommandsPerMinute: 11, minContainedAgents: 3 });
  });
});

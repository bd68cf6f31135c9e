import {
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  double,
  integer,
  oneof,
  record as object,
} from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { deepStrictEqual, rejects } from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/lib/clock.js';
import type { ReplicatedScoringStore } from '../../src/log/replicated-scoring-store.js';
import { CompactedTopic, type Cut } from '../support/compacted-topic.js';
import { ReplicaMachine } from '../support/replica-machine.js';
import { anyWrite, contentOf, emptyContent, plan, type StoreContent, type StoreWrite } from '../support/store-model.js';

const LAG_MS = 1_000_000;
/** Small, so that even the checkpoints here come in several pieces. */
const GROUP_BYTES = 200;

type Successor = 'itself' | 'standby' | 'new machine';

type Step =
  | { do: 'write'; write: StoreWrite }
  /** The owner is killed after so many entries of a write got through, and somebody goes on. */
  | { do: 'kill'; write: StoreWrite; cut: Cut; successor: Successor; isStandbyRestarted: boolean }
  /** Somebody else takes over, and the owner before goes on writing without knowing. */
  | {
      do: 'part';
      writes: StoreWrite[];
      successor: 'standby' | 'new machine';
      /** The new owner is killed before it has seen any of it. */
      isKilled: boolean;
      next: Successor;
      isStandbyRestarted: boolean;
    }
  | { do: 'compact'; share: number };

function anyStep(): Arbitrary<Step> {
  const cut = object({ entries: integer({ min: 0, max: 12 }), isTorn: boolean() });
  const next = constantFrom<Successor>('itself', 'standby', 'new machine');
  const writes = array(anyWrite(), { minLength: 1, maxLength: 3 });
  const successor = constantFrom('standby' as const, 'new machine' as const);
  const isStandbyRestarted = boolean();
  const share = oneof(constant(1), double({ min: 0.3, max: 1, noNaN: true }));
  return oneof(
    { weight: 6, arbitrary: object({ do: constant('write' as const), write: anyWrite() }) },
    {
      weight: 4,
      arbitrary: object({
        do: constant('kill' as const),
        write: anyWrite(),
        cut,
        successor: next,
        isStandbyRestarted,
      }),
    },
    {
      weight: 2,
      arbitrary: object({
        do: constant('part' as const),
        writes,
        successor,
        isKilled: boolean(),
        next,
        isStandbyRestarted,
      }),
    },
    { weight: 1, arbitrary: object({ do: constant('compact' as const), share }) },
  );
}

/** A partition with its owner and a standby, and what the owner's store must hold. */
class Partition {
  readonly #clock = new ManualClock(1);
  readonly #topic = new CompactedTopic({ clock: this.#clock, lagMs: LAG_MS, deleteRetentionMs: LAG_MS });
  readonly #machines: ReplicaMachine[] = [];
  #generation = 0;
  #content: StoreContent = emptyContent();
  #owner!: ReplicaMachine;
  #standby!: ReplicaMachine;
  #connection!: ReturnType<CompactedTopic['connect']>;
  #store!: ReplicatedScoringStore;

  async run(steps: readonly Step[]): Promise<void> {
    this.#owner = await this.#machine(this.#topic);
    this.#standby = await this.#machine(this.#topic);
    await this.#succeed('itself');
    for (const step of steps) {
      this.#clock.advance(1);
      await this.#step(step);
      await this.#owner.follow();
      this.#check(`after ${step.do}`, this.#store, this.#owner);
      if (step.do === 'kill' || step.do === 'part') await this.#checkTheEnd();
    }
    await this.#checkTheEnd();
    for (const machine of this.#machines) {
      await machine.replica.release();
      const store = await machine.takeOver(this.#topic.connect(++this.#generation));
      this.#check('restored', store, machine);
    }
  }

  async #step(step: Step): Promise<void> {
    switch (step.do) {
      case 'write': {
        const { run, expected } = plan(step.write, this.#content);
        await this.#following(run(this.#store), () => false);
        this.#content = expected;
        break;
      }
      case 'kill': {
        const { run, expected, half } = plan(step.write, this.#content);
        const connection = this.#connection;
        // What a reader remembers and its cursor go into one batch, which is there as a whole or not at all.
        connection.cut = { entries: step.cut.entries, isTorn: step.cut.isTorn && step.write.do !== 'cursor' };
        const isDone = await this.#following(run(this.#store), () => connection.isCut);
        await this.#owner.crash();
        if (step.isStandbyRestarted) await this.#restartStandby();
        await this.#succeed(step.successor);
        const after = contentOf(this.#store, this.#owner.environment);
        const possible = isDone ? [] : [this.#content, ...(half === undefined ? [] : [half])];
        this.#content = possible.find((content) => isDeepStrictEqual(after, content)) ?? expected;
        break;
      }
      case 'part': {
        const [formerStore, formerOwner] = [this.#store, this.#owner];
        let former = this.#content;
        await this.#succeed(step.successor);
        for (const write of step.writes) {
          const planned = plan(write, former);
          await planned.run(formerStore);
          former = planned.expected;
        }
        if (step.isKilled) {
          await this.#owner.crash();
          if (step.isStandbyRestarted) await this.#restartStandby();
          await this.#succeed(step.next);
        } else {
          await this.#owner.follow();
          // Behind whatever it writes again.
          await this.#store.commitEffects(this.#content.place.effectsPosition, []);
        }
        await formerOwner.follow();
        await rejects(formerStore.commitEffects(former.place.effectsPosition, []), /another owner|closed/);
        break;
      }
      case 'compact':
        await this.#owner.follow();
        await this.#standby.follow();
        this.#clock.advance(LAG_MS + 1);
        this.#topic.compact(step.share);
        break;
    }
  }

  /** Consumes while something is written. @returns whether it was done before `isOver` */
  async #following(writing: Promise<void>, isOver: () => boolean): Promise<boolean> {
    const ended = new AbortController();
    let failure: unknown;
    writing.then(
      () => ended.abort(),
      (error: unknown) => {
        failure = error;
        ended.abort();
      },
    );
    while (!ended.signal.aborted && !isOver()) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.#owner.follow();
    }
    if (failure !== undefined) throw failure;
    return ended.signal.aborted;
  }

  async #restartStandby(): Promise<void> {
    await this.#standby.follow();
    await this.#standby.crash();
  }

  async #succeed(successor: Successor): Promise<void> {
    if (successor === 'standby') [this.#owner, this.#standby] = [this.#standby, this.#owner];
    if (successor === 'new machine') this.#owner = await this.#machine(this.#topic);
    this.#connection = this.#topic.connect(++this.#generation);
    this.#store = await this.#owner.takeOver(this.#connection);
  }

  /** Whoever comes when everything is compacted finds the same. */
  async #checkTheEnd(): Promise<void> {
    const topic = this.#topic.inTheEnd();
    const machine = await this.#machine(topic);
    const store = await machine.takeOver(topic.connect(this.#generation + 1));
    this.#check('in the end', store, machine);
    this.#machines.pop();
    await machine.dispose();
  }

  #check(when: string, store: ReplicatedScoringStore, { environment }: ReplicaMachine): void {
    deepStrictEqual({ when, ...contentOf(store, environment) }, { when, ...this.#content });
  }

  async dispose(): Promise<void> {
    for (const machine of this.#machines) await machine.dispose();
  }

  async #machine(topic: CompactedTopic): Promise<ReplicaMachine> {
    const machine = await ReplicaMachine.start(topic, {
      clock: this.#clock,
      maxWarmAgeMs: LAG_MS / 2,
      limits: { groupBytes: GROUP_BYTES, cursorLingerMs: 0 },
    });
    this.#machines.push(machine);
    return machine;
  }
}

describe('a replicated scoring store', () => {
  it('is the same on every machine, whoever is killed, goes on unaware, or comes anew to a compacted changelog', async () => {
    const property = asyncProperty(array(anyStep(), { maxLength: 14 }), async (steps) => {
      const partition = new Partition();
      try {
        await partition.run(steps);
      } finally {
        await partition.dispose();
      }
    });
    await expect(assert(property, { numRuns: Number(process.env['REPLICA_RUNS'] ?? 40) })).resolves.toBeUndefined();
  });
});

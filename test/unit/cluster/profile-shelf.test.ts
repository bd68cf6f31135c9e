import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ClassContribution } from '../../../src/baseline/class-profile.js';
import { StateSeal } from '../../../src/baseline/state-seal.js';
import { contributionRecord, givenOutRecord, readProfileRecord } from '../../../src/cluster/profile-records.js';
import { noDrops, ProfileShelf } from '../../../src/cluster/profile-shelf.js';
import type { KafkaRecord, ReceivedRecord } from '../../../src/kafka/port.js';
import { SEED } from '../../support/behaviour.js';
import { classPartitions, contributionsOf } from '../../support/class-partitions.js';
import { live, ordinary } from '../../support/office.js';

const PARTITIONS = 3;
const REST_MS = 1_000;
const SETTLE_MS = 100;

let seal: StateSeal;
/** What each partition has learned, and has learned later. */
let first: ClassContribution[];
let later: ClassContribution[];

beforeAll(async () => {
  seal = await StateSeal.of(SEED);
  const parts = classPartitions(PARTITIONS);
  const learn = (from: number): void => {
    for (let n = from; n < from + 30; n++) {
      const part = parts[n % PARTITIONS];
      if (part !== undefined) live(part.registry, ordinary(n, `office-${n % PARTITIONS}`));
    }
  };
  learn(0);
  first = await contributionsOf(parts);
  learn(30);
  later = await contributionsOf(parts);
});

/** A shelf, a topic in front of it, and what was dropped. */
function shelved(options: { maxHeldChars?: number } = {}) {
  const drops = noDrops();
  const shelf = new ProfileShelf({
    partitions: PARTITIONS,
    seal,
    restMs: REST_MS,
    settleMs: SETTLE_MS,
    dropped: (reason) => drops[reason]++,
    ...options,
  });
  let offset = 0;
  const take = (now: number, ...records: KafkaRecord[]) =>
    shelf.take(
      records.map((record) => received(record, offset++)),
      now,
    );
  return { shelf, drops, take };
}

function received({ key, value }: KafkaRecord, offset = 0): ReceivedRecord {
  return { offset, time: 0, key: key ?? null, value, headers: {} };
}

const given = (one: ClassContribution) => contributionRecord('profiles', one);

describe('the contributions that a leader holds', () => {
  it('make one version of what came at about the same time, and another one only after a rest', () => {
    const { shelf, take } = shelved();
    take(0, ...first.map(given));
    expect(shelf.next(SETTLE_MS - 1)).toBeUndefined();
    const due = shelf.next(SETTLE_MS);
    expect(due?.contributions.map(({ partition }) => partition)).toEqual([0, 1, 2]);
    expect(shelf.next(SETTLE_MS)).toBeUndefined();
    const version = due?.version ?? '';
    take(200, givenOutRecord('profiles', { tenant: 't', agentClass: 'office', version, at: 200 }, seal));
    take(300, ...later.map(given));
    expect(shelf.next(REST_MS)).toBeUndefined();
    const next = shelf.next(200 + REST_MS);
    expect(next?.contributions.map(({ changes }) => changes)).toEqual(later.map(({ changes }) => changes));
    expect(next?.version).not.toBe(version);
  });

  it('make no version for one who begins to lead and finds it given out already', () => {
    const { shelf, take } = shelved();
    take(0, ...first.map(given));
    const version = shelf.next(SETTLE_MS)?.version ?? '';
    const again = shelved();
    const givenOut = { tenant: 't', agentClass: 'office', version, at: 50 };
    again.take(5_000, ...[...first].reverse().map(given), givenOutRecord('profiles', givenOut, seal));
    expect(again.shelf.next(60_000)).toBeUndefined();
    // One whose version did not get everywhere is looked at again; so is one that another leader replaced.
    shelf.putBack(givenOut, 200);
    expect(shelf.next(1_000)?.version).toBe(version);
    take(300, givenOutRecord('profiles', { ...givenOut, version: 'of one who knew less' }, seal));
    expect(shelf.next(60_000)?.version).toBe(version);
  });

  it('count only as this install wrote them; what was held before stays', () => {
    const { shelf, drops, take } = shelved();
    take(0, ...first.map(given));
    const version = shelf.next(SETTLE_MS)?.version;
    const [one] = later;
    if (one === undefined) throw new Error('nothing was contributed');
    const elsewhere = { ...one, partition: 2 };
    take(
      200,
      given({ ...one, state: `${one.state.slice(0, -4)}AAAA` }),
      given({ ...one, changes: one.changes + 1 }),
      // A whole one under the key of another.
      { ...given(one), key: given(elsewhere).key ?? Buffer.alloc(0) },
      { ...given(one), value: null },
      { ...given(one), value: Buffer.from('{') },
      given({ ...one, format: 99 }),
      given({ ...one, state: 'A'.repeat(300_000) }),
      givenOutRecord('profiles', { tenant: 't', agentClass: 'office', version: 'x', at: 1 }, seal),
    );
    expect(drops).toEqual({ unreadable: 4, tampered: 3, elsewhere: 0, full: 0 });
    expect(shelf.next(60_000)?.version).toBe(version);
    const forged = givenOutRecord('profiles', { tenant: 't', agentClass: 'office', version: 'x', at: 1 }, seal);
    const value = Buffer.from(forged.value ?? '')
      .toString()
      .replace('"x"', '"y"');
    take(60_000, { ...forged, value: Buffer.from(value) });
    expect(drops.tampered).toBe(4);
  });

  it('are of partitions that there are, and no more than there is room for', () => {
    const [one, two, three] = first;
    if (one === undefined || two === undefined || three === undefined) throw new Error('nothing was contributed');
    const { seal: _, ...place } = { ...one, partition: 7 };
    const sealed = {
      ...place,
      seal: seal.seal(
        { tenant: 't', agentId: JSON.stringify(['class', 'office', 7]), version: place.changes },
        place.state,
      ),
    };
    const room = 2 * 1_024 + one.state.length + two.state.length;
    const { shelf, drops, take } = shelved({ maxHeldChars: room });
    take(0, given(sealed), given(one), given(two), given(three), given(one));
    expect(drops).toEqual({ unreadable: 0, tampered: 0, elsewhere: 1, full: 1 });
    expect(shelf.next(SETTLE_MS)?.contributions.map(({ partition }) => partition)).toEqual([0, 1]);
  });

  it('never fall over what is in the topic', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(fc.option(bytes), fc.option(bytes), (key, value) => {
        const read = readProfileRecord({ offset: 0, time: 0, headers: {}, key, value }, seal, PARTITIONS);
        expect(read).toEqual({ dropped: 'unreadable' });
      }),
    );
  });
});

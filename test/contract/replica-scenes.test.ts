import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/lib/clock.js';
import { stateEntry } from '../../src/log/changelog-codec.js';
import type { Changelog, ChangelogEntry } from '../../src/log/port.js';
import type { ReplicatedScoringStore } from '../../src/log/replicated-scoring-store.js';
import { CompactedTopic } from '../support/compacted-topic.js';
import { ReplicaMachine } from '../support/replica-machine.js';
import { contentOf, emptyContent, plan, type StoreContent } from '../support/store-model.js';
import { effect } from './scoring-store-contract.js';

const LAG_MS = 1_000_000;
const WARM_MS = LAG_MS / 2;

describe('the replica of a scoring store', () => {
  let clock: ManualClock;
  let topic: CompactedTopic;
  let machines: ReplicaMachine[];
  let content: StoreContent;

  async function machine(cursorLingerMs = 0): Promise<ReplicaMachine> {
    const made = await ReplicaMachine.start(topic, { clock, maxWarmAgeMs: WARM_MS, limits: { cursorLingerMs } });
    machines.push(made);
    return made;
  }
  function put(key: string, value: string): { key: string; value: Buffer } {
    return { key, value: Buffer.from(value) };
  }
  function text(store: ReplicatedScoringStore, key: string): string | undefined {
    const value = store.get(key);
    return value && Buffer.from(value).toString();
  }
  async function checkpoint(store: ReplicatedScoringStore, position: number, keys: number): Promise<void> {
    const open = store.openCheckpoint(position);
    for (let key = 0; key < keys; key++) open.put(`key/${key}`, Buffer.from(`at ${position}`));
    await open.finish();
  }
  function turns(count: number): Promise<void> {
    return count === 0 ? Promise.resolve() : new Promise(setImmediate).then(() => turns(count - 1));
  }

  beforeEach(() => {
    clock = new ManualClock(1);
    topic = new CompactedTopic({ clock, lagMs: LAG_MS, deleteRetentionMs: LAG_MS });
    machines = [];
    content = emptyContent();
  });
  afterEach(async () => {
    for (const each of machines) await each.dispose();
  });

  it('is taken over by a standby with nothing but the tail', async () => {
    const [owner, standby] = [await machine(), await machine()];
    const store = await owner.takeOver(topic.connect(1));
    await checkpoint(store, 10, 500);
    await standby.follow();
    const before = standby.replica.progress.entries;
    expect(before).toBeGreaterThan(500);
    await store.commitEffects(12, [effect('late')]);
    const tail = topic.end - standby.replica.nextOffset;
    const taken = await standby.takeOver(topic.connect(2));
    await standby.follow();
    // And what it has itself written: that it begins, and where.
    expect(standby.replica.progress.entries - before).toBe(tail + 2);
    expect(standby.rewinds).toBe(0);
    expect(taken.outbox(0, 10)).toEqual([{ sequence: 1, effect: effect('late') }]);
    expect([taken.nextPosition, taken.effectsPosition, text(taken, 'key/499')]).toEqual([10, 12, 'at 10']);
  });

  it('goes on after a kill between the changelog and the store with what came after its last look', async () => {
    const owner = await machine();
    const connection = topic.connect(1);
    const store = await owner.takeOver(connection);
    await checkpoint(store, 10, 500);
    await owner.follow();
    await store.setCursor('storing', 4);
    const looked = topic.end;
    connection.cut = { entries: 3, isTorn: false };
    // Its three entries get through, and the answer does not come back.
    store.commitEffects(12, [effect('x'), effect('y')]).catch(() => {});
    await turns(50);
    expect([connection.isCut, store.outboxHead]).toEqual([true, 0]);
    await owner.crash();
    expect([owner.replica.progress.isWarm, owner.replica.nextOffset]).toEqual([true, looked - 1]);
    const again = await owner.takeOver(topic.connect(2));
    expect(owner.replica.progress.entries).toBeLessThan(10);
    expect(again.outbox(0, 10).map(({ effect: { value } }) => value)).toEqual([effect('x').value, effect('y').value]);
    expect([again.effectsPosition, again.cursor('storing'), text(again, 'key/7')]).toEqual([12, 4, 'at 10']);
  });

  it('reads a checkpoint again that counted in the changelog alone, though it had seen all but its end before', async () => {
    const owner = await machine();
    const connection = topic.connect(1);
    const store = await owner.takeOver(connection);
    await checkpoint(store, 10, 5);
    const open = store.openCheckpoint(20);
    open.put('key/0', Buffer.from('at 20'));
    open.put('large', Buffer.alloc(600_000, 'l'));
    await store.commitEffects(21, []);
    await owner.follow();
    await store.commitEffects(22, []);
    connection.cut = { entries: 1, isTorn: false };
    open.finish().catch(() => {});
    await turns(50);
    expect([connection.isCut, store.nextPosition]).toEqual([true, 10]);
    await owner.crash();
    expect(owner.replica.progress.isWarm).toBe(true);
    const again = await owner.takeOver(topic.connect(2));
    expect([owner.rewinds, again.nextPosition, text(again, 'key/0'), text(again, 'key/1')]).toEqual([
      0,
      20,
      'at 20',
      'at 10',
    ]);
  });

  it('begins anew when it was away for longer than compaction leaves alone', async () => {
    const owner = await machine();
    const store = await owner.takeOver(topic.connect(1));
    await checkpoint(store, 10, 5);
    await owner.follow();
    await store.setCursor('storing', 4);
    clock.advance(WARM_MS);
    await owner.crash();
    expect([owner.replica.progress.isWarm, owner.replica.nextOffset]).toEqual([false, 0]);
    const again = await owner.takeOver(topic.connect(2));
    expect([again.nextPosition, again.cursor('storing'), text(again, 'key/4')]).toEqual([10, 4, 'at 10']);
  });

  it('begins anew as well when it was not fed for so long', async () => {
    const [owner, standby] = [await machine(), await machine()];
    const store = await owner.takeOver(topic.connect(1));
    await checkpoint(store, 10, 5);
    await standby.follow();
    clock.advance(WARM_MS);
    await store.commitEffects(11, []);
    await standby.follow();
    expect(standby.rewinds).toBe(1);
    expect((await standby.takeOver(topic.connect(2))).effectsPosition).toBe(11);
  });

  it('refuses what was read before reading had to go back, and not for ever', async () => {
    const [former, next] = [await machine(), await machine()];
    const old = await former.takeOver(topic.connect(1));
    await next.takeOver(topic.connect(2));
    await old.commitEffects(5, []);
    await expect(former.replica.apply(topic.read(0, 100))).rejects.toThrow(/Somebody else owns/);
    await expect(former.replica.apply(topic.read(topic.end - 1, 9))).rejects.toThrow(/read before/);
    await expect(former.replica.apply(topic.read(former.replica.nextOffset, 100))).rejects.toThrow(/wrote on/);
    const { end } = topic;
    await topic.connect(2).append([{ key: 'c/x', value: Buffer.from('1') }]);
    await expect(former.replica.apply(topic.read(end, 1))).rejects.toThrow(/read before the changelog was read again/);
    expect(former.replica.nextOffset).toBe(0);
    await former.follow();
    expect((await former.takeOver(topic.connect(3))).cursor('x')).toBe(1);
  });

  it('shows nothing to a reader of the outbox before the changelog has it', async () => {
    const owner = await machine();
    const connection = topic.connect(1);
    let letThrough = (): void => {};
    const gate = new Promise<void>((resolve) => (letThrough = resolve));
    let isSlow = false;
    const slow: Changelog = {
      generation: 1,
      append: async (entries) => {
        if (isSlow) await gate;
        return connection.append(entries);
      },
    };
    const store = await owner.takeOver(slow);
    isSlow = true;
    const end = topic.end;
    const writing = store.commitEffects(2, [effect('x')]);
    await turns(50);
    expect([store.outboxHead, store.effectsPosition, store.outbox(0, 9), topic.end - end]).toEqual([0, 1, [], 0]);
    letThrough();
    expect(await writing).toEqual([{ sequence: 1, effect: effect('x') }]);
    expect(store.outboxHead).toBe(1);
  });

  it('writes of cursors that move within a moment only the last, and never later than what follows', async () => {
    const owner = await machine(1_000_000);
    const store = await owner.takeOver(topic.connect(1));
    const before = topic.end;
    const moves = Array.from({ length: 100 }, (_, value) => store.setCursor(value % 2 === 0 ? 'even' : 'odd', value));
    await turns(20);
    expect([topic.end, store.cursor('odd')]).toEqual([before, 0]);
    // No timer fires here: company is what they wait for.
    await store.commitEffects(5, []);
    await Promise.all(moves);
    expect([store.cursor('even'), store.cursor('odd')]).toEqual([98, 99]);
    expect(topic.read(before, 9).map(({ key }) => key)).toEqual(['c/even', 'c/odd', 'p']);
  });

  it('sends a large checkpoint in pieces, and refuses a value that no piece may hold', async () => {
    const owner = await machine();
    const connection = topic.connect(1);
    const sizes: number[] = [];
    const bytesOf = ({ key, value }: ChangelogEntry): number => key.length + (value?.byteLength ?? 0);
    const store = await owner.takeOver({
      generation: 1,
      append: (entries) => {
        sizes.push(entries.map(bytesOf).reduce((sum, size) => sum + size, 0));
        return connection.append(entries);
      },
    });
    const open = store.openCheckpoint(5);
    for (let key = 0; key < 30; key++) open.put(`large/${key}`, Buffer.alloc(100_000, key));
    open.put('larger', Buffer.alloc(1_000_000));
    expect(() => open.put('largest', Buffer.alloc(5_000_000))).toThrow(/largest has 5000000 bytes.*at most/);
    await open.finish();
    expect(Math.max(...sizes.filter((size) => size < 1_000_000))).toBeLessThanOrEqual(512 * 1024);
    expect(sizes.filter((size) => size > 512 * 1024)).toHaveLength(1);
    expect(sizes.length).toBeGreaterThan(6);
  });

  it('stops when somebody else begins, stays a standby, and forgets what it wrote unaware', async () => {
    const [former, next] = [await machine(), await machine()];
    const old = await former.takeOver(topic.connect(1));
    await old.commit({ nextPosition: 5, puts: [put('a', 'mine')], deletes: [], effects: [effect('x')] });
    const store = await next.takeOver(topic.connect(2));
    await old.commit({ nextPosition: 6, puts: [put('a', 'unaware'), put('b', 'unaware')], deletes: [], effects: [] });
    expect(text(old, 'a')).toBe('unaware');
    await former.follow();
    expect(former.rewinds).toBe(2);
    await expect(old.commitEffects(9, [])).rejects.toThrow(/another owner: generation 2/);
    await expect(old.setCursor('storing', 9)).rejects.toThrow(/another owner/);
    await next.follow();
    await store.commitEffects(7, []);
    const back = await former.takeOver(topic.connect(3));
    expect([text(back, 'a'), text(back, 'b'), back.nextPosition, back.effectsPosition]).toEqual([
      'mine',
      undefined,
      5,
      7,
    ]);
    await expect(next.replica.takeOver(topic.connect(3))).rejects.toThrow(/owner already|another owner/);
  });

  it('stops at a write that fails, and takes back what it left half done when it begins again in the same process', async () => {
    const owner = await machine();
    const connection = topic.connect(1);
    let left = Number.POSITIVE_INFINITY;
    const failing: Changelog = {
      generation: 1,
      append: (entries) => (left-- > 0 ? connection.append(entries) : Promise.reject(new Error('the broker is away'))),
    };
    let store = await owner.takeOver(failing);
    await store.commit({ nextPosition: 5, puts: [put('a', '1')], deletes: [], effects: [] });
    left = 1;
    const open = store.openCheckpoint(8);
    open.put('a', Buffer.alloc(600_000, 'x'));
    open.put('b', Buffer.from('2'));
    await expect(open.finish()).rejects.toThrow(/broker is away/);
    await expect(store.setCursor('storing', 1)).rejects.toThrow(/broker is away/);
    await owner.replica.release();
    left = Number.POSITIVE_INFINITY;
    store = await owner.takeOver(failing);
    expect([text(store, 'a'), text(store, 'b'), store.nextPosition]).toEqual(['1', undefined, 5]);
    await store.commit({ nextPosition: 9, puts: [put('c', '3')], deletes: [], effects: [] });
    for (const from of [topic, topic.inTheEnd()]) {
      const late = await ReplicaMachine.start(from, { clock, maxWarmAgeMs: WARM_MS });
      machines.push(late);
      const restored = await late.takeOver(from.connect(2));
      expect(contentOf(restored, late.environment).state).toEqual({ a: '1', c: '3' });
    }
  });

  it('refuses a generation that is not newer than all, and a second owner of the same one', async () => {
    const [one, two] = [await machine(), await machine()];
    await one.takeOver(topic.connect(5));
    await two.follow();
    await expect(two.replica.takeOver(topic.connect(5))).rejects.toThrow(/generation 5 was seen/);
    await two.takeOver(topic.connect(6));
    const three = await machine();
    // It asks before it has read that somebody has the same.
    const taking = three.replica.takeOver(topic.connect(6));
    taking.catch(() => {});
    await turns(5);
    await three.follow();
    await two.follow();
    expect(two.rewinds).toBe(1);
    const last = await machine();
    expect((await last.takeOver(topic.connect(7))).nextPosition).toBe(1);
  });

  it('writes again what a former owner overwrites in the midst of a checkpoint, with what the checkpoint has', async () => {
    const [former, next] = [await machine(), await machine()];
    const old = await former.takeOver(topic.connect(1));
    await old.commit({ nextPosition: 5, puts: [put('a', '1'), put('b', '1')], deletes: [], effects: [] });
    const store = await next.takeOver(topic.connect(2));
    const open = store.openCheckpoint(8);
    open.put('a', Buffer.from('2'));
    open.delete('b');
    // Enough for a first piece to go.
    open.put('c', Buffer.alloc(600_000, 'c'));
    await store.commitEffects(9, []);
    await old.commit({ nextPosition: 7, puts: [put('a', 'unaware'), put('b', 'unaware')], deletes: [], effects: [] });
    await next.follow();
    await store.commitEffects(10, []);
    await open.finish();
    const inTheEnd = topic.inTheEnd();
    expect(inTheEnd.size).toBe(4);
    const late = await ReplicaMachine.start(inTheEnd, { clock, maxWarmAgeMs: WARM_MS });
    machines.push(late);
    const restored = await late.takeOver(inTheEnd.connect(3));
    expect([text(restored, 'a'), text(restored, 'b'), restored.nextPosition]).toEqual(['2', undefined, 8]);
  });

  it('says what to do when compaction has taken values that a half-written checkpoint had overwritten', async () => {
    const owner = await machine();
    const connection = topic.connect(1);
    const store = await owner.takeOver(connection);
    await store.commit({ nextPosition: 5, puts: [put('a', '1'), put('b', '1')], deletes: [], effects: [] });
    connection.cut = { entries: 1, isTorn: true };
    const open = store.openCheckpoint(8);
    open.put('a', Buffer.from('2'));
    open.finish().catch(() => {});
    await turns(10);
    // Nobody comes for longer than the broker waits.
    clock.advance(LAG_MS + 1);
    topic.compact();
    const late = await machine();
    await expect(late.takeOver(topic.connect(2))).rejects.toThrow(/1 of 2 state keys.*raise min.compaction.lag.ms/);
  });

  it('says what to do when an entry of the outbox is gone', async () => {
    const owner = await machine();
    const store = await owner.takeOver(topic.connect(1));
    await store.commitEffects(5, [effect('x'), effect('y')]);
    await topic.connect(1).append([{ key: 'o/1', value: null }]);
    const late = await machine();
    await expect(late.takeOver(topic.connect(2))).rejects.toThrow(/1 of the 2 outbox entries up to 2/);
  });

  it.each<[string, ChangelogEntry]>([
    ['an unknown key', { key: 'z/1', value: Buffer.from('x') }],
    ['an unknown key', { key: `s/${'x'.repeat(600)}`, value: stateEntry('a', 1, Buffer.of(1)).value }],
    ['a state entry of an unknown kind', { key: 's/a', value: Buffer.from('junk, and a lot of it') }],
    ['no JSON', { key: 'p', value: Buffer.from('{') }],
    ['a place without nextPosition', { key: 'p', value: Buffer.from('{"nextPosition":-1}') }],
    ['a cursor that is no number', { key: 'c/x', value: Buffer.from('x') }],
  ])('names %s, and where it is', async (what, entry) => {
    const owner = await machine();
    await owner.takeOver(topic.connect(1));
    const offset = await topic.connect(1).append([entry]);
    const late = await machine();
    await expect(late.follow()).rejects.toThrow(what);
    await expect(late.follow()).rejects.toThrow(`at offset ${offset}`);
    // From somebody who is no longer the owner it is of no interest, and is written over.
    const other = new CompactedTopic({ clock, lagMs: LAG_MS, deleteRetentionMs: LAG_MS });
    const next = await ReplicaMachine.start(other, { clock, maxWarmAgeMs: WARM_MS });
    machines.push(next);
    const store = await next.takeOver(other.connect(2));
    const standby = await ReplicaMachine.start(other, { clock, maxWarmAgeMs: WARM_MS });
    machines.push(standby);
    await standby.follow();
    await other.connect(1).append([entry]);
    await standby.follow();
    await next.follow();
    await store.commitEffects(2, []);
    expect(other.inTheEnd().size).toBe(2);
    await standby.follow();
    expect((await standby.takeOver(other.connect(3))).effectsPosition).toBe(2);
  });

  it('holds what was written, however it was moved', async () => {
    const owner = await machine();
    let store = await owner.takeOver(topic.connect(1));
    const writes = [
      { do: 'commit', by: 2, puts: [['a', 3]], deletes: [], effects: 2 },
      { do: 'cursor', name: 'mail', by: 2, remembers: 1, forgets: false },
      { do: 'trim', share: 0.5 },
      { do: 'effects', by: 3, effects: 2 },
    ] as const;
    for (const write of writes) {
      const { run, expected } = plan(
        write.do === 'commit' ? { ...write, puts: write.puts.map(([key, size]) => [key, size]), deletes: [] } : write,
        content,
      );
      await run(store);
      content = expected;
    }
    await owner.replica.release();
    store = await owner.takeOver(topic.connect(2));
    expect(contentOf(store, owner.environment)).toEqual(content);
  });
});

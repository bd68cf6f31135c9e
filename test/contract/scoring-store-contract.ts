import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import type { ScoringStore, StateCheckpoint, StateCommit } from '../../src/log/port.js';
import type { Effect } from '../../src/model/effect.js';

/** A scoring store under test, that can be opened again on the same data as after an end of the process. */
export interface ScoringStoreFixture {
  store: ScoringStore & { close(): void };
  environment: EmbeddedEnvironment;
  reopen(): Promise<void>;
  dispose(): Promise<void>;
}

export function effect(id: string): Effect {
  return {
    type: 'command-event',
    value: { id, commandId: 'c', tenant: 't', agentId: 'a', time: 1, state: 'sent', by: 'test', detail: 'ü' },
  };
}

function change(nextPosition: number, more: Partial<StateCommit> = {}): StateCommit {
  return { nextPosition, puts: [], deletes: [], effects: [], ...more };
}

/** What every {@link ScoringStore} must keep, whatever it is built on. */
export function describeScoringStoreContract(name: string, create: () => Promise<ScoringStoreFixture>): void {
  describe(`the scoring store contract: ${name}`, () => {
    let fixture: ScoringStoreFixture;
    let environment: EmbeddedEnvironment;
    let store: ScoringStoreFixture['store'];

    async function reopen(): Promise<void> {
      await fixture.reopen();
      ({ store, environment } = fixture);
    }
    function text(key: string): string | undefined {
      const value = store.get(key);
      return value && Buffer.from(value).toString();
    }

    beforeEach(async () => {
      fixture = await create();
      ({ store, environment } = fixture);
    });
    afterEach(() => fixture.dispose());

    it('begins at position 1 with nothing', () => {
      expect([store.nextPosition, store.outboxHead, store.cursor('storing')]).toEqual([1, 0, 0]);
      expect(store.get('a')).toBeUndefined();
      expect([...store.entries('')]).toEqual([]);
      expect(store.outbox(0, 10)).toEqual([]);
    });

    it('moves position, state and outbox together, and keeps them', async () => {
      const entries = await store.commit(
        change(10, {
          puts: [
            { key: 'a', value: Buffer.from('1') },
            { key: 'b', value: Buffer.from('2') },
          ],
          effects: [effect('x'), effect('y')],
        }),
      );
      expect(entries).toEqual([
        { sequence: 1, effect: effect('x') },
        { sequence: 2, effect: effect('y') },
      ]);
      await store.commit(
        change(12, {
          puts: [{ key: 'a', value: Buffer.from('3') }],
          deletes: ['b', 'never there'],
          effects: [effect('z')],
        }),
      );
      const check = (): void => {
        expect([store.nextPosition, store.outboxHead, text('a'), text('b')]).toEqual([12, 3, '3', undefined]);
        expect(store.outbox(1, 10)).toEqual([
          { sequence: 2, effect: effect('y') },
          { sequence: 3, effect: effect('z') },
        ]);
        expect(store.outbox(0, 1)).toEqual([{ sequence: 1, effect: effect('x') }]);
      };
      check();
      await reopen();
      check();
    });

    it('moves effects ahead of the state, and keeps both positions', async () => {
      await store.commit(change(5, { effects: [effect('x')] }));
      expect(await store.commitEffects(9, [effect('y')])).toEqual([{ sequence: 2, effect: effect('y') }]);
      const check = (): void => {
        expect([store.nextPosition, store.effectsPosition, store.checkpointOutboxHead, store.outboxHead]).toEqual([
          5, 9, 1, 2,
        ]);
      };
      check();
      await reopen();
      check();
      await expect(store.commitEffects(8, [])).rejects.toThrow(/cannot go back from position 9 to 8/);
      // What is scored again says nothing of how many effects lie before it.
      await store.openCheckpoint(7).finish();
      expect([store.nextPosition, store.effectsPosition, store.checkpointOutboxHead]).toEqual([7, 9, 1]);
      await store.openCheckpoint(9).finish();
      expect([store.nextPosition, store.effectsPosition, store.checkpointOutboxHead]).toEqual([9, 9, 2]);
    });

    describe('with a large checkpoint', () => {
      const keys = Array.from({ length: 400 }, (_, index) => `large/${index}`);

      function begin(): StateCheckpoint {
        const checkpoint = store.openCheckpoint(20);
        checkpoint.delete('gone');
        for (const key of keys) checkpoint.put(key, Buffer.alloc(1_000, key));
        return checkpoint;
      }
      function holds(): boolean[] {
        return [...new Set(keys.map((key) => text(key)?.startsWith(key) === true)), text('gone') === undefined];
      }

      beforeEach(async () => {
        await store.commit(change(10, { puts: [{ key: 'gone', value: Buffer.from('1') }] }));
      });

      it('shows what is in it at once, and counts it when it is finished', async () => {
        const checkpoint = begin();
        expect(holds()).toEqual([true, true]);
        expect(store.nextPosition).toBe(10);
        await checkpoint.finish();
        expect(store.nextPosition).toBe(20);
        expect(holds()).toEqual([true, true]);
        await reopen();
        expect(holds()).toEqual([true, true]);
        expect([...environment.staged.getKeys()]).toEqual([]);
      });

      it('forgets all of it after an end before it counts', async () => {
        begin();
        // The parts are written, and nothing says that they belong together.
        await store.commitEffects(30, [effect('x')]);
        expect([...environment.staged.getKeys()].length).toBeGreaterThan(3);
        await reopen();
        expect([store.nextPosition, store.effectsPosition]).toEqual([10, 30]);
        expect(holds()).toEqual([false, false]);
        expect([...environment.staged.getKeys()]).toEqual([]);
      });

      it('has all of it after an end while it was moved into the state', async () => {
        const finished = begin().finish();
        const ended = finished.catch((error: unknown) => String(error));
        while (store.nextPosition !== 20) await new Promise((resolve) => setImmediate(resolve));
        await reopen();
        expect(await ended).toMatch(/closed/);
        expect(store.nextPosition).toBe(20);
        expect(holds()).toEqual([true, true]);
        expect([...environment.staged.getKeys()]).toEqual([]);
      });
    });

    it('numbers the effects of concurrent commits without gaps', async () => {
      const written = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.commit(change(index + 2, { effects: [effect(`${index}a`), effect(`${index}b`)] })),
        ),
      );
      expect(written.flat().map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: 40 }, (_, index) => index + 1),
      );
      expect(store.outbox(0, 100)).toEqual(written.flat());
    });

    it('refuses a change that goes back or has an impossible key, whole, and goes on with the next', async () => {
      await store.commit(change(5));
      const bad = [
        change(4, { puts: [{ key: 'a', value: Buffer.from('1') }], effects: [effect('lost')] }),
        change(6, { puts: [{ key: '', value: Buffer.from('1') }] }),
        change(6, { puts: [{ key: 'a', value: Buffer.from('1') }], deletes: ['x'.repeat(600)] }),
        change(Number.NaN),
      ];
      const results = await Promise.allSettled([
        ...bad.map((each) => store.commit(each)),
        store.commit(change(7, { effects: [effect('kept')] })),
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        'rejected',
        'rejected',
        'rejected',
        'rejected',
        'fulfilled',
      ]);
      expect([store.nextPosition, store.outboxHead, text('a')]).toEqual([7, 1, undefined]);
    });

    it('does not see what the caller changes after the call', async () => {
      const value = Buffer.from('before');
      const mutable = effect('before');
      const commit = store.commit(change(2, { puts: [{ key: 'a', value }], effects: [mutable] }));
      value.fill('x');
      Object.assign(mutable.value, { id: 'after' });
      await commit;
      expect(text('a')).toBe('before');
      expect(store.outbox(0, 1)).toEqual([{ sequence: 1, effect: effect('before') }]);
    });

    it('lists the keys of a prefix in the order of their bytes', async () => {
      const keys = ['a/2', 'a/10', 'a', 'b/1', 'a/ü', 'a/\u{1f600}', 'a/\uffee', 'a/\u0000x'];
      await store.commit(change(2, { puts: keys.map((key) => ({ key, value: Buffer.from(key) })) }));
      const listed = [...store.entries('a/')];
      expect(listed.map(({ key }) => key)).toEqual(['a/\u0000x', 'a/10', 'a/2', 'a/ü', 'a/\uffee', 'a/\u{1f600}']);
      expect(listed.every(({ key, value }) => Buffer.from(value).toString() === key)).toBe(true);
      expect([...store.entries('')]).toHaveLength(keys.length);
      expect([...store.entries('c')]).toEqual([]);
    });

    it('gives back values of every size', async () => {
      const sizes = [0, 1, 100, 4096, 40_000, 300_000, 3_000_000];
      await store.commit(
        change(2, { puts: sizes.map((size) => ({ key: `size/${size}`, value: Buffer.alloc(size, `${size},`) })) }),
      );
      await reopen();
      for (const size of sizes)
        expect(Buffer.alloc(size, `${size},`).equals(store.get(`size/${size}`) ?? Buffer.of(1, 2))).toBe(true);
      expect([...store.entries('size/')].map(({ value }) => value.byteLength).toSorted((a, b) => a - b)).toEqual(sizes);
    });

    it('trims the outbox without using a number twice', async () => {
      await store.commit(change(2, { effects: ['1', '2', '3', '4'].map(effect) }));
      await store.trimOutbox(3);
      expect(store.outbox(0, 10).map(({ sequence }) => sequence)).toEqual([4]);
      await store.trimOutbox(4);
      await expect(store.trimOutbox(5)).rejects.toThrow(RangeError);
      await reopen();
      expect(store.outboxHead).toBe(4);
      const [entry] = await store.commit(change(3, { effects: [effect('5')] }));
      expect(entry?.sequence).toBe(5);
    });

    it('keeps cursors by name', async () => {
      await Promise.all([store.setCursor('storing', 7), store.setCursor('notifying', 9)]);
      await reopen();
      expect([store.cursor('storing'), store.cursor('notifying'), store.cursor('other')]).toEqual([7, 9, 0]);
      await expect(store.setCursor('storing', -1)).rejects.toThrow(/cannot be -1/);
      await expect(store.setCursor('Bad Name', 1)).rejects.toThrow(/lower-case/);
    });

    it('moves what a reader remembers together with its cursor', async () => {
      const value = new Uint8Array([1, 2]);
      await store.setCursor('notify-mail', 3, { puts: [{ key: 'notify-mail/a', value }], deletes: [] });
      await store.setCursor('notify-mail', 4, { puts: [{ key: 'notify-mail/b', value }], deletes: ['notify-mail/a'] });
      await reopen();
      expect(store.cursor('notify-mail')).toBe(4);
      expect([...store.entries('notify-mail/')].map(({ key }) => key)).toEqual(['notify-mail/b']);
      const bad = { puts: [{ key: '', value }], deletes: [] };
      await expect(store.setCursor('notify-mail', 5, bad)).rejects.toThrow(/state key/);
      expect(store.cursor('notify-mail')).toBe(4);
    });

    it('wakes who waits for the outbox, and lets go on abort and on close', async () => {
      const controller = new AbortController();
      const woken = store.waitForOutbox(0, controller.signal).then(() => store.outboxHead);
      await store.commit(change(2, { effects: [effect('a')] }));
      expect(await woken).toBe(1);
      await expect(store.waitForOutbox(0, controller.signal)).resolves.toBeUndefined();
      const aborted = store.waitForOutbox(1, controller.signal);
      controller.abort();
      await expect(aborted).resolves.toBeUndefined();
      const left = store.waitForOutbox(1, new AbortController().signal).catch(String);
      store.close();
      expect(await left).toMatch(/closed/);
    });
  });
}

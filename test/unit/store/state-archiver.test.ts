import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import { StoreError, type InsertRequest } from '../../../src/store/client.js';
import { StateArchiver, type PendingState, type StateArchiverOptions } from '../../../src/store/state-archiver.js';
import { MemoryStore } from '../../support/memory-feed.js';

/** Kept versions of one agent; `drop` lets the oldest go, as newer ones do. */
class Kept {
  next = 0;
  readonly states = new Map<number, string>();

  keep(count: number, state = 'AAAA'): void {
    for (let n = 0; n < count; n++) this.states.set(this.next++, state);
  }

  drop(count: number): void {
    for (const serial of [...this.states.keys()].slice(0, count)) this.states.delete(serial);
  }

  *from(serial: number): Generator<PendingState> {
    for (const at of this.states.keys()) {
      const about = { tenant: 't', agentId: 'a', version: at + 1, time: 1, sessionCount: 10, bytes: 3 };
      if (at >= serial) yield { ...about, serial: at };
    }
  }

  async pack({ serial }: PendingState) {
    const state = this.states.get(serial);
    return state === undefined ? undefined : { state, seal: `seal-${serial}`, seedPrint: 'print', format: 1 };
  }
}

function archive(kept: Kept, change: Partial<StateArchiverOptions> = {}, cursors = new MemoryStore()) {
  const tried: InsertRequest[] = [];
  const clock = new ManualClock(1_000);
  let failing: Error | undefined;
  const archiver = new StateArchiver({
    source: kept,
    target: () => ({
      makeRoom: async () => true,
      inserter: {
        insert: async (request) => {
          tried.push({ ...request, body: Uint8Array.from(request.body) });
          if (failing !== undefined) throw failing;
        },
      },
    }),
    cursors,
    isIdle: () => true,
    clock,
    ...change,
  });
  const rows = () =>
    tried.flatMap(({ body }) =>
      Buffer.from(body)
        .toString()
        .trim()
        .split('\n')
        .map((line): Record<string, unknown> => JSON.parse(line)),
    );
  return { archiver, tried, rows, clock, cursors, fail: (error?: Error) => (failing = error) };
}

const away = new StoreError('ClickHouse cannot be reached', 'transient', 0);

describe('archiving', () => {
  it('carries each version once, in order, and goes on where it was after a restart', async () => {
    const kept = new Kept();
    kept.keep(3);
    const first = archive(kept);
    await first.archiver.catchUp();
    kept.keep(2);
    const second = archive(kept, {}, first.cursors);
    await second.archiver.catchUp();
    expect([...first.rows(), ...second.rows()].map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
    const times = first.rows().map(({ archivedAt }) => Number(archivedAt));
    expect(new Set(times).size).toBe(3);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(second.archiver.status()).toMatchObject({ archived: 2, pending: 0, missed: 0, retries: 0 });
  });

  it('tries the very same rows with the same token while ClickHouse is away, and catches up', async () => {
    const kept = new Kept();
    kept.keep(2);
    const { archiver, tried, fail } = archive(kept);
    fail(away);
    await expect(archiver.catchUp()).rejects.toThrow(away);
    kept.keep(1);
    await expect(archiver.catchUp()).rejects.toThrow(away);
    fail();
    await archiver.catchUp();
    expect(tried[1]).toEqual(tried[0]);
    expect(tried[2]).toEqual(tried[0]);
    expect(new Set(tried.map(({ token }) => token)).size).toBe(2);
    expect(archiver.status()).toMatchObject({ archived: 3, pending: 0, missed: 0 });
  });

  it('retries by itself and says since when it fails', async () => {
    const kept = new Kept();
    kept.keep(1);
    let rests = 0;
    const made = archive(kept, {
      sleep: async () => {
        made.clock.advance(1_000);
        if (++rests === 3) made.fail();
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    made.fail(away);
    made.archiver.start();
    while (made.archiver.status().archived === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await made.archiver.stop();
    expect(made.archiver.status()).toMatchObject({ archived: 1, retries: 2, pending: 0 });
    expect(made.archiver.status().failingSince).toBeUndefined();
  });

  it('counts what gave way before it could be carried, and what is too large', async () => {
    const kept = new Kept();
    kept.keep(10);
    kept.drop(4);
    kept.keep(1, 'A'.repeat(17 * 1024 * 1024));
    const { archiver, rows } = archive(kept);
    await archiver.catchUp();
    expect(rows()).toHaveLength(6);
    expect(archiver.status()).toMatchObject({ archived: 6, missed: 4, oversized: 1, pending: 0 });
  });

  it('waits for an idle moment, but not for ever', async () => {
    const kept = new Kept();
    kept.keep(1);
    let rests = 0;
    const made = archive(kept, {
      isIdle: () => false,
      patienceMs: 5_000,
      sleep: async () => {
        rests++;
        made.clock.advance(1_000);
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    made.archiver.start();
    while (made.archiver.status().archived === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await made.archiver.stop();
    expect(rests).toBeGreaterThanOrEqual(6);
  });

  it('archives again what scoring scores again after a crash', async () => {
    const kept = new Kept();
    kept.keep(5);
    const cursors = new MemoryStore();
    await cursors.setCursor('baseline-archive', 9);
    const { archiver, rows } = archive(kept, {}, cursors);
    await archiver.catchUp();
    kept.keep(1);
    await archiver.catchUp();
    expect(rows().map(({ version }) => version)).toEqual([6]);
  });

  it('stops where the archive is full, and says so', async () => {
    const kept = new Kept();
    kept.keep(1);
    const { tried, archiver } = archive(kept, {
      target: () => ({ makeRoom: async () => false, inserter: { insert: async () => {} } }),
    });
    await expect(archiver.catchUp()).rejects.toThrow('clickhouse.baselineBytes');
    expect(tried).toEqual([]);
    expect(archiver.status().pending).toBe(1);
  });
});

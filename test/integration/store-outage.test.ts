import { setTimeout as timer } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ManualClock } from '../../src/lib/clock.js';
import { StoreClient } from '../../src/store/client.js';
import { EmbeddedClickHouse } from '../../src/store/embedded/supervisor.js';
import { migrate } from '../../src/store/migrate.js';
import { StoringReader } from '../../src/store/storing-reader.js';
import { MemoryLog, MemoryStore } from '../support/memory-feed.js';
import { jsonBytes, sampleEffects, sampleObservation } from '../support/store-sample.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const TEN_MINUTES_MS = 600_000;

it('stores everything once after ten minutes without ClickHouse, late arrivals of timed-out tries included', async () => {
  const directory = temporaryDirectory();
  const embedded = await EmbeddedClickHouse.start({
    dataDir: directory.path,
    database: 'd',
    healthIntervalMs: 600_000,
  });
  const connection = { url: embedded.url, database: 'd', ...embedded.writer };
  await migrate(connection);
  const client = new StoreClient(connection);
  // Gives up soon, so that the stopped engine gets the same blocks many times over when it goes on.
  const hasty = new StoreClient(connection, { requestTimeoutMs: 300 });
  const log = new MemoryLog();
  const cursors = new MemoryStore();
  const clock = new ManualClock(0);
  const reader = new StoringReader({
    log,
    store: cursors,
    inserter: { insert: (request) => (clock.now() < TEN_MINUTES_MS ? hasty : client).insert(request) },
    clock,
    // Pauses pass at once but move the clock.
    sleep: async (ms) => {
      clock.advance(ms);
      await timer(1);
    },
    lingerMs: 1,
    maxRows: 1_000,
    retryMaxMs: 60_000,
  });
  let next = 0;
  const add = (count: number): void => {
    const values = Array.from({ length: count }, () => sampleObservation(next++, Date.now()));
    log.add(...values.map((value) => ({ type: 'observation' as const, data: jsonBytes(value) })));
    cursors.add(...sampleEffects(next));
  };
  try {
    add(500);
    reader.start();
    expect(await reader.drain({ log: log.head, outbox: cursors.outboxHead }, 20_000)).toBe(true);

    process.kill(embedded.state().pid ?? 0, 'SIGSTOP');
    const downSince = clock.now();
    while (clock.now() - downSince < TEN_MINUTES_MS) {
      add(100);
      await timer(50);
    }
    const during = reader.status();
    expect(during.logBacklog).toBeGreaterThan(100);
    expect(during.lastError).toBeDefined();
    expect(during.failingSince).toBeGreaterThanOrEqual(downSince);
    expect(during.retries).toBeGreaterThan(5);

    process.kill(embedded.state().pid ?? 0, 'SIGCONT');
    expect(await reader.drain({ log: log.head, outbox: cursors.outboxHead }, 40_000)).toBe(true);
    await reader.stop();
    const after = reader.status();
    expect(after).toMatchObject({ logBacklog: 0, outboxBacklog: 0, refusedRows: 0, lostRecords: 0 });
    expect(after.lastError).toBeUndefined();
    const [rows] = await client.select<Record<string, string>>(
      'SELECT count() AS rows, uniqExact(id) AS ids, (SELECT count() FROM incidents) AS incidents FROM observations',
    );
    expect(rows).toEqual({
      rows: String(next),
      ids: String(next),
      incidents: String(cursors.outboxHead / sampleEffects(0).length),
    });
  } finally {
    await reader.stop();
    await client.close();
    await hasty.close();
    await embedded.stop();
    directory.remove();
  }
});

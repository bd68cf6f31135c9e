/**
 * A small service: appends observations and effects to the log, stores them in the embedded ClickHouse, and prints
 * what was acknowledged. When `total` records are acknowledged and stored it prints what ClickHouse holds and ends.
 * Started, and killed at any moment, by the crash tests.
 *
 * Usage: node store-process.js DIRECTORY TOTAL
 */
import { join } from 'node:path';
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedLog } from '../../src/log/embedded-log.js';
import { EmbeddedScoringStore } from '../../src/log/embedded-scoring-store.js';
import { openStore } from '../../src/store/store.js';
import { StoringReader } from '../../src/store/storing-reader.js';
import { jsonBytes, sampleEffects, sampleObservation } from './store-sample.js';

const [directory = '', totalText = '0'] = process.argv.slice(2);
const total = Number(totalText);
const environment = EmbeddedEnvironment.open({
  directory: join(directory, 'log'),
  clock: systemClock,
  reserveBytes: 0,
});
const log = new EmbeddedLog(environment);
const scoring = new EmbeddedScoringStore(environment);
const say = (message: object): void => {
  writeSync(1, `${JSON.stringify(message)}\n`);
};

const store = await openStore({
  url: 'embedded',
  database: 'parallax',
  username: '',
  password: '',
  dataDir: directory,
  observationDays: 10_000,
  payloadDays: 10_000,
  baselineDays: 10_000,
});
const reader = new StoringReader({
  log,
  store: scoring,
  inserter: store.writer,
  maxRows: 2_000,
  lingerMs: 50,
  retryMaxMs: 500,
});
reader.start();
say({ engine: store.embedded()?.pid });

while (log.head < total) {
  const from = log.head + 1;
  const count = Math.min(500, total - log.head);
  // Every hundredth record comes a second time, as from an emitter that was not sure.
  const records = Array.from({ length: count }, (_, i) =>
    sampleObservation((from + i) % 100 === 0 ? from + i - 1 : from + i),
  );
  await log.append(records.map((record) => ({ type: 'observation', data: jsonBytes(record) })));
  await scoring.commit({
    nextPosition: from + count,
    puts: [],
    deletes: [],
    effects: sampleEffects(scoring.outboxHead),
  });
  say({ acknowledged: log.head });
}
const drained = await reader.drain({ log: log.head, outbox: scoring.outboxHead }, 120_000);
const [rows] = await store.writer.select<Record<string, string>>(
  `SELECT count() AS rows, uniqExact(id) AS ids, uniqExact(position) AS positions, max(position) AS last,
     (SELECT count() FROM observations_v) AS merged, (SELECT uniqExact(sequence) FROM incidents) AS incidents,
     (SELECT count() FROM signals_v) AS signals FROM observations`,
);
say({ drained, outboxHead: scoring.outboxHead, rows, status: reader.status() });
await reader.stop();
await store.close();
await log.close();
await environment.close();

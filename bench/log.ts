/**
 * What the embedded log costs: CPU and wall time per record appended at three batch sizes, durable latency of single
 * records, and reading from memory and from the store. Prints a table, and JSON with `--json`.
 *
 * The file first grows to its size and is then emptied, so that the figures are those of a log under retention, whose
 * file takes its own pages again. The first row shows the growth: on a virtual machine it is dominated by the host
 * handing out memory for the page cache for the first time.
 *
 * Usage: node dist/bench/log.js [--json] [--dir DIRECTORY] [--records N]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/lib/clock.js';
import { EmbeddedEnvironment } from '../src/log/embedded-environment.js';
import { EmbeddedLog } from '../src/log/embedded-log.js';
import type { RawRecord } from '../src/log/port.js';

const RECORD_BYTES = 700;
const READ_SLICE = 256;

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, dir: { type: 'string' }, records: { type: 'string', default: '200000' } },
});
const RECORDS = Number(values.records);

interface Row {
  what: string;
  /** CPU of the whole process, all threads. */
  cpuUsPerRecord: number;
  wallUsPerRecord: number;
  recordsPerCommit?: number;
}

interface Meter {
  records: number;
  run: (log: EmbeddedLog, environment: EmbeddedEnvironment) => Promise<void> | void;
}

const data = Buffer.from(JSON.stringify({ text: 'x'.repeat(RECORD_BYTES - 11) }));

function batchOf(size: number): RawRecord[] {
  return Array.from({ length: size }, () => ({ type: 'observation', data }));
}

async function measure(
  what: string,
  { records, run }: Meter,
  log: EmbeddedLog,
  environment: EmbeddedEnvironment,
): Promise<Row> {
  const transactions = environment.transactions;
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await run(log, environment);
  const wallUs = Number(process.hrtime.bigint() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const commits = environment.transactions - transactions;
  return {
    what,
    cpuUsPerRecord: (user + system) / records,
    wallUsPerRecord: wallUs / records,
    ...(commits > 0 ? { recordsPerCommit: records / commits } : {}),
  };
}

/** Appends with so many callers at once that group commit has something to gather. */
function appending(batch: number, callers: number, records: number): Meter {
  const rounds = Math.max(1, Math.floor(records / batch / callers));
  return {
    records: rounds * callers * batch,
    run: async (log) => {
      const caller = async (): Promise<void> => {
        for (let round = 0; round < rounds; round++) await log.append(batchOf(batch));
      };
      await Promise.all(Array.from({ length: callers }, caller));
    },
  };
}

function reading(from: number, count: number): Meter {
  return {
    records: count,
    run: (log) => {
      for (let position = from; position < from + count;) {
        const entries = log.read(position, Math.min(READ_SLICE, from + count - position));
        if (entries.length === 0) throw new Error(`nothing at ${position}`);
        position += entries.length;
      }
    },
  };
}

async function singleLatencies(log: EmbeddedLog, count: number): Promise<number[]> {
  const latencies: number[] = [];
  const one = batchOf(1);
  for (let n = 0; n < count; n++) {
    const start = process.hrtime.bigint();
    await log.append(one);
    latencies.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  return latencies.toSorted((a, b) => a - b);
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

const directory = mkdtempSync(join(values.dir ?? tmpdir(), 'parallax-bench-'));
const environment = EmbeddedEnvironment.open({ directory, clock: systemClock, reserveBytes: 0 });
const log = new EmbeddedLog(environment);
const rows: Row[] = [];
try {
  await measure('warm-up', appending(100, 8, 2000), log, environment);
  rows.push(await measure('append, batch 1000, file grows', appending(1000, 4, RECORDS), log, environment));
  // Freed pages may be taken again two commits later, so it takes a second round until the file stops growing.
  for (let round = 0; round < 3; round++) {
    await log.truncateBefore(log.head + 1);
    await measure('settle', appending(1000, 4, RECORDS), log, environment);
  }
  await log.truncateBefore(log.head + 1);
  const plan: [string, Meter][] = [
    ['append, batch 1, 1 caller', appending(1, 1, 2000)],
    ['append, batch 1, 64 callers', appending(1, 64, RECORDS / 4)],
    ['append, batch 100, 8 callers', appending(100, 8, RECORDS)],
    ['append, batch 1000, 4 callers', appending(1000, 4, RECORDS)],
  ];
  for (const [what, meter] of plan) {
    rows.push(await measure(what, meter, log, environment));
    if (log.head + 1 - log.tail >= RECORDS && what !== plan.at(-1)?.[0]) await log.truncateBefore(log.head + 1);
  }
  const recent = Math.min(15_000, log.head);
  rows.push(await measure('read at the head, from memory', reading(log.head - recent + 1, recent), log, environment));
  rows.push(
    await measure(
      'read the newest batches, from the store',
      reading(log.head - RECORDS + 1, RECORDS - recent * 2),
      log,
      environment,
    ),
  );
  const latencies = await singleLatencies(log, 2000);
  const latencyMs = { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), max: quantile(latencies, 1) };
  if (values.json) {
    console.log(JSON.stringify({ recordBytes: data.length, rows, latencyMs }));
  } else {
    for (const row of rows) {
      const commits = row.recordsPerCommit === undefined ? '' : `${row.recordsPerCommit.toFixed(1)} records a commit`;
      console.log(
        `${row.what.padEnd(42)}${row.cpuUsPerRecord.toFixed(2).padStart(9)} us CPU` +
          `${row.wallUsPerRecord.toFixed(2).padStart(9)} us wall   ${commits}`,
      );
    }
    console.log(
      `durable latency of one record: p50 ${latencyMs.p50.toFixed(2)} ms, p99 ${latencyMs.p99.toFixed(2)} ms, ` +
        `worst ${latencyMs.max.toFixed(2)} ms`,
    );
  }
} finally {
  await environment.close();
  rmSync(directory, { recursive: true, force: true });
}

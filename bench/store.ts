/**
 * What storing costs: CPU of this process and of the ClickHouse child per row, by block size, from log bytes to
 * acknowledged insert over HTTP. Usage: node dist/bench/store.js [rows]
 */
import { readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../src/store/store.js';
import { blockToken, encodeRows, type Row } from '../src/store/row.js';
import { jsonBytes, sampleObservation } from '../test/support/store-sample.js';

const total = Number(process.argv[2] ?? 200_000);
const CLOCK_TICKS_PER_SECOND = 100;

/** CPU seconds and resident MiB of another process, from /proc (Linux only). */
function usage(pid: number): { cpuSeconds: number; residentMiB: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND,
    residentMiB: Math.round(Number(resident) / 1024),
  };
}

const directory = mkdtempSync(join(tmpdir(), 'parallax-bench-'));
const store = await openStore({
  url: 'embedded',
  database: 'parallax',
  username: '',
  password: '',
  dataDir: directory,
  observationDays: 3_650,
  payloadDays: 7,
});
const pid = store.embedded()?.pid ?? 0;
console.log(JSON.stringify({ what: 'opened', childResidentMiB: usage(pid).residentMiB }));

let place = 0;
for (const blockRows of [10_000, 2_000, 500, 10_000]) {
  const records = Array.from({ length: total }, (_, i) => jsonBytes(sampleObservation(place + i, Date.now())));
  const meanBytes = Math.round(records.reduce((sum, record) => sum + record.length, 0) / total);
  const childBefore = usage(pid).cpuSeconds;
  const before = process.cpuUsage();
  const started = performance.now();
  for (let at = 0; at < total; at += blockRows) {
    const rows = records.slice(at, at + blockRows).map((json): Row => {
      place++;
      return { table: 'observations', place, lead: `"position":${place},"partition":0`, json };
    });
    await store.writer.insert({
      table: 'observations',
      body: encodeRows(rows),
      token: blockToken('observations', 0, rows),
    });
  }
  const seconds = (performance.now() - started) / 1000;
  const own = process.cpuUsage(before);
  const child = usage(pid);
  const perRow = (cpuSeconds: number): number => Number(((cpuSeconds / total) * 1e6).toFixed(2));
  console.log(
    JSON.stringify({
      blockRows,
      rows: total,
      meanBytes,
      parentMicrosPerRow: perRow((own.user + own.system) / 1e6),
      childMicrosPerRow: perRow(child.cpuSeconds - childBefore),
      rowsPerSecond: Math.round(total / seconds),
      childResidentMiB: child.residentMiB,
    }),
  );
}
const [size] = await store.writer.select<{ bytes: string; rows: string }>(
  "SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS rows FROM system.parts WHERE active AND table = 'observations'",
);
console.log(JSON.stringify({ what: 'on disk', bytesPerRow: Math.round(Number(size?.bytes) / Number(size?.rows)) }));
await store.close();
rmSync(directory, { recursive: true, force: true });

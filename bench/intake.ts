/**
 * What intake costs a record: finding and parsing it, normalising (with deriving and redacting), encoding.
 *
 *     node dist/bench/intake.js [file.jsonl.gz ...]
 *
 * Reads recorded sessions, sends their events through the very functions of the service in batches of 500 lines, and
 * prints the median over the rounds, microseconds of CPU a record, as JSON.
 */
import { join } from 'node:path';
import { readBatch } from '../src/api/batch.js';
import { STREAMS } from '../src/model/observation.js';
import type { Principal } from '../src/model/principal.js';
import { encodeRecord } from '../src/model/encode-record.js';
import { nativeNormalizer } from '../src/normalize/native.js';
import { readRecordedSteps } from '../src/sources/recorded-session.js';
import { recordedData, recordedDataMissing } from '../test/support/recorded.js';

const BATCH = 500;
const ROUNDS = 9;
const LIMITS = { maxDepth: 32, maxRecordBytes: 1024 * 1024, maxRecords: 20_000 };

const files = process.argv.slice(2);
if (files.length === 0) {
  if (recordedData === undefined) throw new Error(recordedDataMissing);
  for (const set of ['agentdojo', 'agentdyn']) files.push(join(recordedData, set, 'train.jsonl.gz'));
}

const principal: Principal = { id: 'bench', role: 'ingest', tenant: 'bench', streams: new Set(STREAMS), agents: ['*'] };
const context = { principal, observedAt: 1, seed: 0x5eed };

const lines: string[] = [];
const kinds: string[] = [];
for (const file of files) {
  for await (const step of readRecordedSteps(file)) {
    for (const observation of step.observations) {
      lines.push(JSON.stringify(observation));
      kinds.push(observation.kind);
    }
  }
}
const bodies: Buffer[] = [];
for (let i = 0; i < lines.length; i += BATCH) bodies.push(Buffer.from(lines.slice(i, i + BATCH).join('\n')));

interface Round {
  parseOnly: number;
  scanAndParse: number;
  normalize: number;
  encode: number;
}

const rounds: Round[] = [];
let loggedBytes = 0;
for (let round = 0; round < ROUNDS + 2; round++) {
  const spent: Round = { parseOnly: 0, scanAndParse: 0, normalize: 0, encode: 0 };
  loggedBytes = 0;
  for (const body of bodies) {
    spent.parseOnly += cpuMicros(() => {
      for (const line of body.toString('utf8').split('\n')) JSON.parse(line);
    });
    let values: unknown[] = [];
    spent.scanAndParse += cpuMicros(() => {
      values = readBatch(body, true, LIMITS).records.map((record) => record.value);
    });
    let results: ReturnType<typeof nativeNormalizer.normalize> = [];
    spent.normalize += cpuMicros(() => {
      results = values.flatMap((value) => nativeNormalizer.normalize(value, context));
    });
    spent.encode += cpuMicros(() => {
      for (const result of results) {
        if (!result.ok) throw new Error(`${result.field}: ${result.reason}`);
        loggedBytes += encodeRecord({ type: 'observation', value: result.observation }).data.length;
        if (result.payload !== undefined) {
          loggedBytes += encodeRecord({ type: 'payload', value: result.payload }).data.length;
        }
      }
    });
  }
  // The first two rounds warm the engine up.
  if (round >= 2) rounds.push(spent);
}

const normalizeByKind: Record<string, number> = {};
for (const kind of new Set(kinds)) {
  const values = lines.filter((_, i) => kinds[i] === kind).map((line): unknown => JSON.parse(line));
  const micros = Array.from({ length: 5 }, () =>
    cpuMicros(() => {
      for (const value of values) nativeNormalizer.normalize(value, context);
    }),
  );
  normalizeByKind[kind] = rounded(median(micros) / values.length);
}

const perRecord = (stage: keyof Round) => rounded(median(rounds.map((r) => r[stage])) / lines.length);
const wireBytes = bodies.reduce((sum, body) => sum + body.length, 0);
console.log(
  JSON.stringify(
    {
      records: lines.length,
      node: process.version,
      wireBytesPerRecord: Math.round(wireBytes / lines.length),
      loggedBytesPerRecord: Math.round(loggedBytes / lines.length),
      microsPerRecord: {
        bareParse: perRecord('parseOnly'),
        scanAndParse: perRecord('scanAndParse'),
        normalize: perRecord('normalize'),
        encode: perRecord('encode'),
        total: rounded(perRecord('scanAndParse') + perRecord('normalize') + perRecord('encode')),
      },
      normalizeByKind,
    },
    null,
    2,
  ),
);

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

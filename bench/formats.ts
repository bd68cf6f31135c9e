/**
 * What a record of each format costs: decoding it, and putting it into observations (with deriving and redacting).
 *
 *     node dist/bench/formats.js [--write]
 *
 * The same sample record is taken in batches of 500 under changing ids; OTLP is what the OpenTelemetry SDK exports. Prints
 * the median over the rounds, microseconds of CPU for a record, as a table; with `--write` also into RESULTS.md.
 * "Observations" is how many one record becomes. Placing OTLP records with their agents is part of normalising them.
 */
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { readBatch } from '../src/api/batch.js';
import type { IncomingRecord } from '../src/api/port.js';
import { STREAMS } from '../src/model/observation.js';
import { cloudEventNormalizer } from '../src/normalize/cloud-events.js';
import { litellmNormalizer } from '../src/normalize/litellm.js';
import { readMapping } from '../src/normalize/mapping/mapping-folder.js';
import { nativeNormalizer } from '../src/normalize/native.js';
import { workNormalizer } from '../src/normalize/genai/work-normalizer.js';
import { decodeJson, decodeProtobuf, type OtlpBatch } from '../src/normalize/otlp/decode.js';
import { OtlpIntake } from '../src/normalize/otlp/otlp-intake.js';
import type { NormalizeContext, Normalizer } from '../src/normalize/port.js';
import { meshEvent, nativeEvent } from '../test/support/records/cloud-events.js';
import { mcpCall, request } from '../test/support/records/litellm.js';
import { decision } from '../test/support/records/opa.js';
import { repositoryRoot } from '../test/support/recorded.js';
import { logExport, spanExport } from './support/otlp-exports.js';
import { writeSection } from './support/results-file.js';

const BATCH = 500;
const ROUNDS = 25;
const WARM_UP = 5;
const LIMITS = { maxDepth: 32, maxRecordBytes: 1024 * 1024, maxRecords: 20_000 };
const context: NormalizeContext = {
  principal: { id: 'bench', role: 'ingest', tenant: 'bench', streams: new Set(STREAMS), agents: ['*'] },
  observedAt: 1,
  seed: 0x5eed,
};
const opa = readMapping(join(repositoryRoot, 'mappings', 'opa.yaml')).normalizer;
const call = {
  stream: 'action',
  kind: 'tool_call',
  time: 1_764_000_000_000,
  agentId: 'travel-agent',
  sessionId: 's1',
  tool: 'send_mail',
  args: { to: 'ann@example.org' },
  decision: 'allow',
};
const cases: [string, Normalizer, Record<string, unknown>, string][] = [
  ['native call', nativeNormalizer, call, 'id'],
  ['litellm request', litellmNormalizer, request(), 'id'],
  ['litellm mcp call', litellmNormalizer, mcpCall(), 'id'],
  ['cloudevents native', cloudEventNormalizer, nativeEvent(), 'id'],
  ['cloudevents toolkit', cloudEventNormalizer, meshEvent(), 'id'],
  ['opa mapping', opa, decision(), 'decision_id'],
];

/** One format: its bytes, and the two steps of taking them in. */
interface Case {
  format: string;
  body: Buffer;
  decode: () => unknown;
  /** @returns how many observations were made */
  normalize: (decoded: unknown) => Promise<number>;
}

const jsonCases = cases.map(([format, normalizer, record, idField]): Case => {
  const records = Array.from({ length: BATCH }, (_, i) => ({ ...record, [idField]: `id-${i}` }));
  const body = Buffer.from(JSON.stringify(records));
  return {
    format,
    body,
    decode: () => readBatch(body, false, LIMITS).records,
    // What `decode` gave.
    normalize: async (decoded) => observationsOf(format, normalizer, decoded as IncomingRecord[]),
  };
});

function otlpCase(format: string, signal: 'traces' | 'logs', encoding: 'protobuf' | 'json', body: Buffer): Case {
  let made = 0;
  const otlp = new OtlpIntake({
    intake: {
      accept: async (records, refused) => {
        const [first] = refused;
        if (first !== undefined) throw new Error(`${format}: ${first.field}: ${first.reason}`);
        made += observationsOf(format, workNormalizer, records);
        return { accepted: records.length, refused: [] };
      },
    },
    waitMs: 0,
    sleep: async () => {},
  });
  return {
    format,
    body,
    decode: () =>
      encoding === 'protobuf'
        ? decodeProtobuf(signal, body, LIMITS)
        : decodeJson(signal, JSON.parse(body.toString('utf8')), LIMITS),
    normalize: async (decoded) => {
      made = 0;
      // What `decode` gave.
      const refused = await otlp.accept(decoded as OtlpBatch, context.principal);
      if (refused.length > 0) throw new Error(`${format}: ${refused[0]?.reason}`);
      return made;
    },
  };
}

function observationsOf(format: string, normalizer: Normalizer, records: readonly IncomingRecord[]): number {
  let made = 0;
  for (const { value } of records) {
    for (const result of normalizer.normalize(value, context)) {
      if (!result.ok) throw new Error(`${format}: ${result.field}: ${result.reason}`);
      made++;
    }
  }
  return made;
}

async function measure({ format, body, decode, normalize }: Case): Promise<string[]> {
  const [decoding, normalizing]: [number[], number[]] = [[], []];
  let observations = 0;
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const start = micros();
    const decoded = decode();
    const between = micros();
    observations = await normalize(decoded);
    const end = micros();
    if (round < WARM_UP) continue;
    decoding.push((between - start) / BATCH);
    normalizing.push((end - between) / BATCH);
  }
  const [decodeUs, normalizeUs] = [median(decoding), median(normalizing)];
  const figures = [Math.round(body.length / BATCH), observations / BATCH, decodeUs, normalizeUs];
  return [format, ...figures.map(String), (decodeUs + normalizeUs).toFixed(2)];
}

const all = [
  ...jsonCases,
  otlpCase('otlp tool span, protobuf', 'traces', 'protobuf', await spanExport('protobuf', BATCH)),
  otlpCase('otlp tool span, json', 'traces', 'json', await spanExport('json', BATCH)),
  otlpCase('otlp log event, protobuf', 'logs', 'protobuf', await logExport('protobuf', BATCH)),
  otlpCase('otlp log event, json', 'logs', 'json', await logExport('json', BATCH)),
];
const rows: string[][] = [];
for (const one of all) rows.push(await measure(one));
const table = [
  '| record | wire bytes | observations | decode us | normalize us | both us |',
  '|---|---:|---:|---:|---:|---:|',
  ...rows.map((cells) => `| ${cells.join(' | ')} |`),
].join('\n');
console.log(table);
if (process.argv.includes('--write')) {
  const about = `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, \`node dist/bench/formats.js --write\`. CPU microseconds a record, median of ${ROUNDS} rounds of ${BATCH} records; load average ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores.`;
  writeSection(
    join(repositoryRoot, 'bench', 'RESULTS.md'),
    'formats',
    `# What a record of each format costs\n\n${about}\n\n${table}`,
  );
}

function micros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[sorted.length >> 1] ?? 0) * 100) / 100;
}

/**
 * What a record of each gateway's format costs: parsing it, and putting it into observations (with deriving and redacting).
 *
 *     node dist/bench/formats.js
 *
 * The same sample record is taken in batches of 500 under changing ids. Prints the median over the rounds, microseconds of
 * CPU for a record, as JSON; `observations` is how many one record becomes.
 */
import { join } from 'node:path';
import { readBatch } from '../src/api/batch.js';
import { STREAMS } from '../src/model/observation.js';
import { cloudEventNormalizer } from '../src/normalize/cloud-events.js';
import { litellmNormalizer } from '../src/normalize/litellm.js';
import { readMapping } from '../src/normalize/mapping/mapping-folder.js';
import { nativeNormalizer } from '../src/normalize/native.js';
import type { NormalizeContext, Normalizer } from '../src/normalize/port.js';
import { meshEvent, nativeEvent } from '../test/support/records/cloud-events.js';
import { mcpCall, request } from '../test/support/records/litellm.js';
import { decision } from '../test/support/records/opa.js';
import { repositoryRoot } from '../test/support/recorded.js';

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

const table = cases.map(([format, normalizer, record, idField]) => {
  const records = Array.from({ length: BATCH }, (_, i) => ({ ...record, [idField]: `id-${i}` }));
  const body = Buffer.from(JSON.stringify(records));
  const [parse, normalize]: [number[], number[]] = [[], []];
  let observations = 0;
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    let values: unknown[] = [];
    const parsed = cpuMicros(() => {
      values = readBatch(body, false, LIMITS).records.map(({ value }) => value);
    });
    observations = 0;
    const normalized = cpuMicros(() => {
      for (const value of values) {
        for (const result of normalizer.normalize(value, context)) {
          if (!result.ok) throw new Error(`${format}: ${result.field}: ${result.reason}`);
          observations++;
        }
      }
    });
    if (round < WARM_UP) continue;
    parse.push(parsed / BATCH);
    normalize.push(normalized / BATCH);
  }
  return {
    format,
    wireBytes: Math.round(body.length / BATCH),
    observations: observations / BATCH,
    parseMicros: median(parse),
    normalizeMicros: median(normalize),
  };
});
console.log(JSON.stringify({ node: process.version, table }, undefined, 2));

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[sorted.length >> 1] ?? 0) * 100) / 100;
}

import { readFileSync, statSync } from 'node:fs';
import { readBatch, type Batch } from '../api/batch.js';
import { codeOf } from '../lib/checked-yaml.js';
import { inertText } from '../lib/text/inert-text.js';
import { STREAMS, type Observation } from '../model/observation.js';
import { readMapping } from '../normalize/mapping/mapping-folder.js';
import type { NormalizeContext } from '../normalize/port.js';
import { textOf, UsageError, type CliCommand } from './command.js';

const MAX_SAMPLE_BYTES = 64 * 1024 * 1024;
const SCAN = { maxDepth: 32, maxRecordBytes: 1024 * 1024, maxRecords: 20_000 };
/** As a key that may say everything would have it taken in. */
const CONTEXT: NormalizeContext = {
  principal: { id: 'map-test', role: 'ingest', tenant: 'default', streams: new Set(STREAMS), agents: ['*'] },
  observedAt: 0,
  seed: 0,
};

/** What one record of the sample becomes. */
interface Tried {
  index: number;
  observations: Observation[];
  refused: { field: string; reason: string }[];
}

export const map: CliCommand = {
  name: 'map',
  usage: 'test FILE --sample SAMPLES.jsonl [--json]',
  summary: 'show what a declarative mapping makes of sample records, or why it refuses them',
  options: { sample: { type: 'string' }, json: { type: 'boolean' } },
  help: { sample: 'records: one JSON value a line, or a JSON array', json: 'one JSON line for each record' },
  run: async (context) => {
    const [word, file, ...more] = context.positionals;
    const sample = textOf(context, 'sample');
    if (word !== 'test' || file === undefined || sample === undefined || more.length > 0) {
      throw new UsageError('say "parallax map test FILE --sample SAMPLES.jsonl"');
    }
    const { normalizer } = readMapping(file);
    const { records, refused } = readSample(sample);
    const tried: Tried[] = refused.map(({ index, field, reason }) => ({
      index,
      observations: [],
      refused: [{ field, reason }],
    }));
    for (const { index, value } of records) {
      const results = normalizer.normalize(value, CONTEXT);
      const refusals = results.flatMap((one) => (one.ok ? [] : [{ field: one.field, reason: one.reason }]));
      // Taken in as a whole or not at all, as at the door.
      const observations = refusals.length > 0 ? [] : results.flatMap((one) => (one.ok ? [one.observation] : []));
      tried.push({ index, observations, refused: refusals });
    }
    tried.sort((a, b) => a.index - b.index);
    const lines = context.values['json'] === true ? tried.map((one) => JSON.stringify(one)) : tableOf(tried);
    context.console.out(`${lines.join('\n')}\n`);
    return tried.some((one) => one.refused.length > 0) ? 1 : 0;
  },
};

function readSample(file: string): Batch {
  let body: Buffer;
  try {
    if (statSync(file).size > MAX_SAMPLE_BYTES) throw new UsageError(`${file}: larger than 64 MiB; take a part of it`);
    body = readFileSync(file);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file}: cannot be read (${codeOf(error)}); check the path`, { cause: error });
  }
  const isArray = body.toString('utf8', 0, 1_024).trimStart().startsWith('[');
  try {
    return readBatch(body, !isArray, SCAN);
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

const HEAD = ['record', 'stream', 'kind', 'time', 'agent', 'session', 'tool', 'decision', 'id'];

function tableOf(tried: readonly Tried[]): string[] {
  const rows = tried.flatMap((one) => one.observations.map((observation) => rowOf(one.index, observation)));
  const widths = HEAD.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const lineOf = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  const refusals = tried.flatMap(({ index, refused }) =>
    refused.map(
      ({ field, reason }) => `record ${index}: refused: ${field === '' ? '(whole record)' : field}: ${reason}`,
    ),
  );
  const silent = tried.filter(({ observations, refused }) => observations.length + refused.length === 0);
  return [
    ...(rows.length === 0 ? [] : [lineOf(HEAD), ...rows.map(lineOf)]),
    ...refusals,
    ...(silent.length === 0 ? [] : [`not matched: record ${silent.map(({ index }) => index).join(', ')}`]),
    `${tried.length} records: ${rows.length} observations, ${refusals.length} refused, ${silent.length} not matched`,
  ];
}

function rowOf(index: number, observation: Observation): string[] {
  const { stream, kind, time, agentId, sessionId, id } = observation;
  const tool = 'tool' in observation ? observation.tool : undefined;
  const decision = 'decision' in observation ? observation.decision : undefined;
  const cells = [stream, kind, new Date(time).toISOString(), agentId, sessionId, tool, decision, id];
  return [String(index), ...cells.map((cell) => inertText(cell ?? ''))];
}

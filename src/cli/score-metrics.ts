import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MetricSeries } from '../baseline/metric-series/metric-series.js';
import { readSeries } from '../sources/series-file.js';
import { textOf, UsageError, type CliCommand } from './command.js';
import { ProgressLine } from './progress.js';

export const scoreMetrics: CliCommand = {
  name: 'score-metrics',
  usage: '--data DIR --out DIR',
  summary: 'score metric series row by row, each as if it arrived live',
  options: { data: { type: 'string' }, out: { type: 'string' } },
  help: {
    data: 'folder with series, .csv or .csv.gz with the columns timestamp and value, in any tree of folders',
    out: 'folder for the same tree with the columns timestamp, value, anomaly_score; 0.5 and more is an alarm',
  },
  run: async (context) => {
    const [data, out] = [textOf(context, 'data'), textOf(context, 'out')];
    if (data === undefined || out === undefined) throw new UsageError('give --data DIR and --out DIR');
    if (isWithin(resolve(out), resolve(data))) throw new UsageError('--out must lie outside --data');
    const files = await seriesIn(data);
    const progress = new ProgressLine(context.console);
    let rows = 0;
    for (const [i, { source, target }] of files.entries()) {
      progress.show('series', `${i + 1} of ${files.length}, ${relative(data, source)}`);
      // oxlint-disable-next-line no-await-in-loop -- one after the other keeps memory flat
      rows += await scoreFile(source, join(out, target));
    }
    progress.done();
    context.console.out(`${rows} rows of ${files.length} series scored\n`);
    return 0;
  },
};

/** Scores one file. What it cannot finish it does not leave behind. @returns rows */
async function scoreFile(source: string, target: string): Promise<number> {
  const series = new MetricSeries();
  const partial = `${target}.partial`;
  await mkdir(dirname(target), { recursive: true });
  try {
    await pipeline(Readable.from(scoredLines(source, series)), createWriteStream(partial));
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
  }
  return series.rows;
}

async function* scoredLines(source: string, series: MetricSeries): AsyncGenerator<string> {
  let text = 'timestamp,value,anomaly_score\n';
  for await (const { timestamp, value, timeMs, number } of readSeries(source)) {
    text += `${timestamp},${value},${series.score(timeMs, number).anomalyScore}\n`;
    if (text.length < CHUNK_CHARS) continue;
    yield text;
    text = '';
  }
  yield text;
}

const CHUNK_CHARS = 64 * 1024;

async function seriesIn(data: string): Promise<{ source: string; target: string }[]> {
  let names: string[];
  try {
    names = await readdir(data, { recursive: true });
  } catch (error) {
    throw new UsageError(`--data ${data} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const sources = names.filter((name) => /\.csv(\.gz)?$/.test(name)).sort();
  if (sources.length === 0) throw new UsageError(`--data ${data} holds no .csv or .csv.gz file`);
  const targets = new Map<string, string>();
  for (const name of sources) {
    const target = name.replace(/\.gz$/, '');
    const other = targets.get(target);
    if (other !== undefined) throw new UsageError(`${other} and ${name} would both become ${target}; keep one of them`);
    targets.set(target, name);
  }
  return [...targets].map(([target, name]) => ({ source: join(data, name), target }));
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSeries } from '../../src/sources/series-file.js';
import { repositoryRoot } from './recorded.js';

/** Folder of labelled metric series (`PARALLAX_METRICS`, or beside the repository), or undefined when absent. */
export const metricData = [
  process.env['PARALLAX_METRICS'],
  join(repositoryRoot, '..', 'shared', 'data', 'metrics', 'nab-dev'),
].find((dir) => dir !== undefined && existsSync(join(dir, 'labels', 'combined_windows.json')));

/** Says why tests over them do not run. */
export const metricDataMissing =
  'labelled metric series are not here: set PARALLAX_METRICS to the folder that holds data/ and labels/';

export interface MetricFile {
  name: string;
  times: number[];
  values: number[];
  windows: [number, number][];
}

export async function readMetricFiles(dir: string): Promise<MetricFile[]> {
  const labels = JSON.parse(readFileSync(join(dir, 'labels', 'combined_windows.json'), 'utf8')) as Record<
    string,
    [string, string][]
  >;
  return Promise.all(
    Object.entries(labels).map(async ([name, windows]) => {
      const file = { name, times: [] as number[], values: [] as number[], windows: windows.map(edges) };
      const plain = join(dir, 'data', name);
      for await (const { timeMs, number } of readSeries(existsSync(plain) ? plain : `${plain}.gz`)) {
        file.times.push(timeMs);
        file.values.push(number);
      }
      return file;
    }),
  );
}

function edges([from, to]: [string, string]): [number, number] {
  return [epochMs(from), epochMs(to)];
}

function epochMs(text: string): number {
  return Date.parse(`${text.replace(' ', 'T').replace(/\.\d+$/, '')}Z`);
}

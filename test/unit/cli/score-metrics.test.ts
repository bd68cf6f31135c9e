import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/cli/command.js';
import { scoreMetrics } from '../../../src/cli/score-metrics.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

describe('parallax score-metrics', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let data: string;
  let out: string;
  beforeEach(() => {
    directory = temporaryDirectory();
    [data, out] = [join(directory.path, 'data'), join(directory.path, 'out')];
    mkdirSync(join(data, 'deep'), { recursive: true });
  });
  afterEach(() => directory.remove());

  async function run(values: Record<string, string> = { data, out }): Promise<string> {
    let text = '';
    const console = { out: (part: string) => void (text += part), err: () => {}, isTerminal: false };
    await scoreMetrics.run({ values, positionals: [], env: {}, console });
    return text;
  }

  /** A calm series with one spike at row 500. */
  function series(): string {
    const rows = Array.from({ length: 600 }, (_, row) => {
      const time = new Date(Date.UTC(2026, 0, 5) + row * 300_000).toISOString().replace('T', ' ').slice(0, 19);
      return `${time},${row === 500 ? 900 : 10 + (row % 7)}`;
    });
    return `timestamp,value\n${rows.join('\n')}\n`;
  }

  it('mirrors the tree, keeps timestamps and values as they are, and scores the spike', async () => {
    writeFileSync(join(data, 'a.csv'), series());
    writeFileSync(join(data, 'deep', 'b.csv.gz'), gzipSync(series().replaceAll('\n', '\r\n')));
    writeFileSync(join(data, 'deep', 'readme.txt'), 'not a series');
    expect(await run()).toBe('1200 rows of 2 series scored\n');
    const a = readFileSync(join(out, 'a.csv'), 'utf8');
    expect(readFileSync(join(out, 'deep', 'b.csv'), 'utf8')).toBe(a);
    const [header, ...rows] = a.trim().split('\n');
    expect(header).toBe('timestamp,value,anomaly_score');
    expect(rows.map((row) => row.split(',').slice(0, 2).join(','))).toEqual(series().trim().split('\n').slice(1));
    const alarms = rows.flatMap((row, i) => (Number(row.split(',')[2]) >= 0.5 ? [i] : []));
    expect(alarms).toContain(500);
  });

  it.each([
    ['timestamp,value\n2026-01-01 00:00:00,1\n2026-01-01 00:05:00,abc\n', /a\.csv:3: value "abc" is no number; write/],
    ['timestamp,value\nyesterday,1\n', /a\.csv:2: timestamp "yesterday" is no time; write/],
    ['timestamp,value\n2026-01-01 00:00:00,1,2\n', /a\.csv:2: 3 columns, but the header has 2/],
    ['time,value\n', /a\.csv:1: the header has no column "timestamp"; begin with/],
    ['', /a\.csv:1: is empty; begin with/],
    ['timestamp,value\n2026-01-01 00:00:00,Infinity\n', /a\.csv:2: value "Infinity"/],
  ])('names file, line and fix of %j, and leaves nothing half-written', async (text, message) => {
    writeFileSync(join(data, 'a.csv'), text);
    await expect(run()).rejects.toThrow(message);
    expect(readdirSync(out)).toEqual([]);
  });

  it('refuses what it cannot do', async () => {
    await expect(run({ data })).rejects.toThrow(UsageError);
    await expect(run()).rejects.toThrow('holds no .csv or .csv.gz file');
    await expect(run({ data: join(data, 'nowhere'), out })).rejects.toThrow('cannot be read');
    await expect(run({ data, out: join(data, 'out') })).rejects.toThrow('outside');
    for (const name of ['a.csv', 'a.csv.gz']) writeFileSync(join(data, name), gzipSync(series()));
    await expect(run()).rejects.toThrow('would both become a.csv');
  });
});

import { readLines, RecordedDataError } from './line-reader.js';

export interface SeriesRow {
  /** As written in the file. */
  timestamp: string;
  value: string;
  /** Epoch ms; a time without a zone is UTC. */
  timeMs: number;
  number: number;
}

const MAX_LINE_BYTES = 4_096;
/** `2014-04-01 00:00:00`, with `T`, fraction and zone optional. */
const TIME = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/;
const ZONE = /(Z|[+-]\d\d:\d\d)$/;

/**
 * Rows of a metric series: CSV, plain or gzip, with a header that has at least `timestamp` and `value`.
 *
 * @throws RecordedDataError naming file, line and fix
 */
export async function* readSeries(file: string): AsyncGenerator<SeriesRow> {
  let columns: { timestamp: number; value: number; count: number } | undefined;
  for await (const { line, text } of readLines(file, MAX_LINE_BYTES)) {
    const cells = text.split(',').map((cell) => cell.trim());
    if (columns === undefined) {
      columns = columnsOf(cells, `${file}:${line}`);
      continue;
    }
    if (cells.length !== columns.count) {
      throw wrong(`${file}:${line}`, `${cells.length} columns, but the header has ${columns.count}; one row a line`);
    }
    const timestamp = cells[columns.timestamp] ?? '';
    const value = cells[columns.value] ?? '';
    yield { timestamp, value, ...parsed(timestamp, value, `${file}:${line}`) };
  }
  if (columns === undefined) throw wrong(`${file}:1`, 'is empty; begin with the header "timestamp,value"');
}

function columnsOf(cells: string[], place: string): { timestamp: number; value: number; count: number } {
  const names = cells.map((cell) => cell.replace(/^\uFEFF/, '').toLowerCase());
  const [timestamp, value] = [names.indexOf('timestamp'), names.indexOf('value')];
  if (timestamp < 0 || value < 0) {
    throw wrong(
      place,
      `the header has no column "${timestamp < 0 ? 'timestamp' : 'value'}"; begin with "timestamp,value"`,
    );
  }
  return { timestamp, value, count: cells.length };
}

function parsed(timestamp: string, value: string, place: string): { timeMs: number; number: number } {
  const iso = timestamp.replace(' ', 'T');
  const timeMs = TIME.test(timestamp) ? Date.parse(ZONE.test(iso) ? iso : `${iso}Z`) : Number.NaN;
  if (Number.isNaN(timeMs)) {
    throw wrong(place, `timestamp ${quoted(timestamp)} is no time; write it like 2026-04-01 13:05:00`);
  }
  const number = value === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) throw wrong(place, `value ${quoted(value)} is no number; write it like 12.5`);
  return { timeMs, number };
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}

function wrong(place: string, what: string): RecordedDataError {
  return new RecordedDataError(`${place}: ${what}`);
}

import { isUtf8 } from 'node:buffer';
import type { Refusal } from '../model/wire.js';
import { ApiError } from './errors.js';
import {
  measure,
  skipSpace,
  splitArray,
  splitLines,
  TooManyRecords,
  type RecordSpan,
  type ScanLimits,
} from './json-boundaries.js';
import type { IncomingRecord } from './port.js';

/** Content types of one JSON value a line. */
export const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonlines',
]);

/** A request's records: those that could be read, and those that could not. */
export interface Batch {
  records: IncomingRecord[];
  refused: (Refusal & { raw: string })[];
}

const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;
const NEWLINE = 0x0a;
/** Raw text kept of a record that is too large to be read. */
const MAX_RAW_BYTES = 4 * 1024;

/**
 * Takes a body apart into records: one JSON value a line, the elements of one array, or one object.
 *
 * Sizes, depths and the count are checked on the bytes before anything is parsed; one unreadable record is refused by
 * its index and its neighbours go through.
 *
 * @throws ApiError 400 for an empty body, 413 for too many records
 */
export function readBatch(body: Buffer, isLines: boolean, limits: ScanLimits): Batch {
  const start = skipSpace(body, 0, body.length);
  if (start === body.length) {
    throw new ApiError(400, 'empty', 'the body holds no record', { fix: 'send a JSON object, a JSON array or NDJSON' });
  }
  const allValid = isUtf8(body);
  const batch: Batch = { records: [], refused: [] };
  spansOf(body, isLines, limits).forEach((span, index) => {
    const bytes = body.subarray(span.start, span.end);
    const reason =
      troubleOf(span, limits) ?? (allValid || isUtf8(bytes) ? undefined : 'is not valid UTF-8; encode it as UTF-8');
    if (reason !== undefined) {
      batch.refused.push({
        index,
        field: '',
        reason,
        raw: bytes.toString('utf8', 0, Math.min(bytes.length, MAX_RAW_BYTES)),
      });
      return;
    }
    const text = bytes.toString('utf8');
    try {
      const value: unknown = JSON.parse(text);
      batch.records.push({ index, value, bytes: bytes.length });
    } catch {
      batch.refused.push({ index, field: '', reason: malformed(text), raw: text });
    }
  });
  return batch;
}

/**
 * Whether a body that calls itself JSON holds one value a line: its first line ends an object and another begins. Within a
 * JSON value a comma stands between the two.
 */
export function holdsLines(body: Buffer): boolean {
  const newline = body.indexOf(NEWLINE);
  if (newline === -1 || body[skipSpace(body, 0, body.length)] !== OPEN_OBJECT) return false;
  const next = skipSpace(body, newline, body.length);
  const line = body.subarray(0, newline).toString('latin1').trimEnd();
  return line.endsWith('}') && body[next] === OPEN_OBJECT;
}

function spansOf(body: Buffer, isLines: boolean, limits: ScanLimits): RecordSpan[] {
  try {
    if (isLines) return splitLines(body, limits);
    const start = skipSpace(body, 0, body.length);
    return body[start] === OPEN_ARRAY ? splitArray(body, limits) : [measure(body, { start, end: body.length }, limits)];
  } catch (error) {
    if (!(error instanceof TooManyRecords)) throw error;
    throw new ApiError(413, 'too-many-records', `more than ${limits.maxRecords} records in one request`, {
      fix: `send at most ${limits.maxRecords} records at a time`,
    });
  }
}

function troubleOf(span: RecordSpan, limits: ScanLimits): string | undefined {
  if (span.trouble === 'too-deep') return `is nested deeper than ${limits.maxDepth} levels; flatten it`;
  if (span.trouble === 'too-large') {
    return `is ${span.end - span.start} bytes long; send at most ${limits.maxRecordBytes} bytes a record`;
  }
  if (span.trouble === undefined) return undefined;
  return 'is cut off, or follows the end of the array; check brackets, quotes and the end of the body';
}

/** The parser's own message may quote the record; ours does not. */
function malformed(text: string): string {
  if (text === '') return 'is empty; remove the extra comma';
  const number = ['NaN', 'Infinity'].find((word) => text.includes(word));
  const hint =
    number === undefined ? 'check quotes, commas and brackets' : `JSON has no ${number}; leave the value out`;
  return `is not valid JSON; ${hint}`;
}

/** Limits that are checked on bytes, before anything is parsed. */
export interface ScanLimits {
  /** Deepest nesting of one record; a plain object is 1 deep. */
  maxDepth: number;
  maxRecordBytes: number;
  maxRecords: number;
}

/** Where one record lies in the body, and why it may not be parsed. */
export interface RecordSpan {
  /** First byte. */
  start: number;
  /** First byte behind it. */
  end: number;
  trouble?: 'too-deep' | 'too-large' | 'unfinished';
}

/** More records than a request may hold. */
export class TooManyRecords extends Error {
  override name = 'TooManyRecords';
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const NEWLINE = 0x0a;

/**
 * Finds the elements of a JSON array in one pass over its bytes, without parsing them: so a malformed, too large or
 * too deep element costs only itself.
 *
 * Takes hold again where it can: a closing bracket without its opening one is passed over, and a text that runs into
 * the end of its line is ended there (JSON allows no raw line breaks in texts). An element that is still open where
 * the body ends is `unfinished`, and what it swallowed is lost with it.
 *
 * @param body bytes of the request; the first that is not white space is `[`
 * @throws TooManyRecords
 */
export function splitArray(body: Uint8Array, limits: ScanLimits): RecordSpan[] {
  const spans: RecordSpan[] = [];
  const scan = new DepthScan(limits.maxDepth);
  const first = skipSpace(body, 0, body.length) + 1;
  let start = first;
  const finish = (end: number, unfinished: boolean) => {
    const from = skipSpace(body, start, end);
    const to = endWithoutSpace(body, from, end);
    if (to > from || !unfinished)
      push(spans, makeSpan({ start: from, end: to, tooDeep: scan.tooDeep, unfinished }, limits), limits);
    scan.reset();
    start = end + 1;
  };
  for (let i = first; i < body.length; i++) {
    const byte = body[i] ?? 0;
    if (scan.depth === 0 && !scan.inString && (byte === COMMA || byte === CLOSE_ARRAY)) {
      const empty = byte === CLOSE_ARRAY && spans.length === 0 && skipSpace(body, start, i) === i;
      if (!empty) finish(i, false);
      if (byte === COMMA) continue;
      // Bytes behind the array belong to no element.
      const rest = skipSpace(body, i + 1, body.length);
      if (rest < body.length) push(spans, { start: rest, end: body.length, trouble: 'unfinished' }, limits);
      return spans;
    }
    scan.take(byte);
  }
  start = Math.min(start, body.length);
  finish(body.length, true);
  return spans;
}

/**
 * Finds the lines of NDJSON that hold something, and measures them as `splitArray` does.
 *
 * @throws TooManyRecords
 */
export function splitLines(body: Buffer, limits: ScanLimits): RecordSpan[] {
  const spans: RecordSpan[] = [];
  let lineStart = 0;
  while (lineStart < body.length) {
    const newline = body.indexOf(NEWLINE, lineStart);
    const lineEnd = newline === -1 ? body.length : newline;
    const start = skipSpace(body, lineStart, lineEnd);
    const end = endWithoutSpace(body, start, lineEnd);
    if (end > start) push(spans, measure(body, { start, end }, limits), limits);
    lineStart = lineEnd + 1;
  }
  return spans;
}

/** Measures one JSON value that fills the given bytes. */
export function measure(body: Uint8Array, span: { start: number; end: number }, limits: ScanLimits): RecordSpan {
  // What is too large is refused for that, without looking at it.
  if (span.end - span.start > limits.maxRecordBytes) return { ...span, trouble: 'too-large' };
  const scan = new DepthScan(limits.maxDepth);
  for (let i = span.start; i < span.end && !scan.tooDeep; i++) scan.take(body[i] ?? 0);
  return scan.tooDeep ? { ...span, trouble: 'too-deep' } : { ...span };
}

/** First byte from `start` on that is not white space. */
export function skipSpace(body: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && isSpace(body[i] ?? 0)) i++;
  return i;
}

/** Follows nesting and texts through JSON, byte by byte. */
class DepthScan {
  depth = 0;
  inString = false;
  tooDeep = false;
  readonly #maxDepth: number;
  /** Which bracket was opened at each depth, as far down as the limit. */
  readonly #opened: Uint8Array;
  #escaped = false;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
    this.#opened = new Uint8Array(maxDepth + 1);
  }

  reset(): void {
    this.depth = 0;
    this.inString = false;
    this.tooDeep = false;
    this.#escaped = false;
  }

  take(byte: number): void {
    if (this.inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE || byte === NEWLINE) this.inString = false;
      return;
    }
    if (byte === QUOTE) this.inString = true;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (this.depth < this.#maxDepth) this.#opened[this.depth] = byte;
      else this.tooDeep = true;
      this.depth++;
    } else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && this.depth > 0) {
      const opener = byte === CLOSE_OBJECT ? OPEN_OBJECT : OPEN_ARRAY;
      // Below the limit nobody remembers what was opened; every bracket counts there.
      if (this.depth > this.#maxDepth || this.#opened[this.depth - 1] === opener) this.depth--;
    }
  }
}

function makeSpan(
  found: { start: number; end: number; tooDeep: boolean; unfinished: boolean },
  limits: ScanLimits,
): RecordSpan {
  const { start, end } = found;
  if (end - start > limits.maxRecordBytes) return { start, end, trouble: 'too-large' };
  if (found.tooDeep) return { start, end, trouble: 'too-deep' };
  return found.unfinished ? { start, end, trouble: 'unfinished' } : { start, end };
}

function push(spans: RecordSpan[], span: RecordSpan, limits: ScanLimits): void {
  if (spans.length >= limits.maxRecords) throw new TooManyRecords();
  spans.push(span);
}

function endWithoutSpace(body: Uint8Array, start: number, end: number): number {
  let i = end;
  while (i > start && isSpace(body[i - 1] ?? 0)) i--;
  return i;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

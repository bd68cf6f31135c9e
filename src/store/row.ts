import { createHash } from 'node:crypto';

/** One row on its way to a table: the record's own JSON text, and the fields that storing puts before it. */
export interface Row {
  table: string;
  /** Log position or outbox sequence: its place in its feed. */
  place: number;
  /** `"position":12,"partition":0`: what goes in front of the record's own fields. */
  lead: string;
  /** A JSON object, UTF-8. */
  json: Uint8Array;
}

const OPEN = 0x7b; // {
const CLOSE = 0x7d; // }
const COMMA = 0x2c;
const NEWLINE = 0x0a;

/**
 * Rows as one JSONEachRow body. The records are copied byte by byte with the lead spliced in after the opening brace:
 * parsing and serialising them again would cost more than all the rest of storing together.
 */
export function encodeRows(rows: readonly Row[]): Buffer {
  let size = 0;
  for (const row of rows) size += row.json.length + row.lead.length + 3;
  const body = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { json, lead } of rows) {
    const isObject = json[0] === OPEN;
    if (isObject) {
      body[at++] = OPEN;
      at += body.write(lead, at, 'latin1');
      // `{}` has nothing to separate the lead from.
      if (json[1] !== CLOSE) body[at++] = COMMA;
    }
    // Anything else goes as it is; the engine refuses it by name.
    const from = isObject ? 1 : 0;
    body.set(from === 0 ? json : json.subarray(from), at);
    at += json.length - from;
    body[at++] = NEWLINE;
  }
  return body.subarray(0, at);
}

/**
 * The deduplication token of a block: the same for every try of the same rows. The digest over its ends keeps a block
 * of a log that was begun anew apart from the old log's block at the same places.
 *
 * @param rows at least one, all of one table
 */
export function blockToken(table: string, partition: number, rows: readonly Row[]): string {
  const first = rows[0];
  const last = rows.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a block needs at least one row');
  const digest = createHash('sha256').update(first.json).update('\n').update(last.json).digest('hex').slice(0, 16);
  return `${table}:${partition}:${first.place}-${last.place}:${digest}`;
}

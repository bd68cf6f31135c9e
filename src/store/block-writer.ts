import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.js';
import { stableId } from '../lib/hash.js';
import type { DeadLetter } from '../model/log-record.js';
import type { InsertRequest } from './client.js';
import { blockToken, encodeRows, type Row } from './row.js';

/** What storing needs of the client. */
export interface Inserter {
  /** @throws an error whose `kind` is `row` where the rows themselves are the cause */
  insert(request: InsertRequest): Promise<void>;
}

export interface BlockCounts {
  stored: number;
  refused: number;
  unstorable: number;
}

const EXCERPT_CHARS = 512;
const REASON_CHARS = 500;

/**
 * Inserts one table's rows. Where the engine refuses the block because of a row, the block is halved until the row
 * stands alone; it goes to `dead_letters` with the cause and its neighbours are stored. The halves are the same in
 * every try, and so are their tokens.
 *
 * @throws whatever is not the rows' fault; the same call may then be made again
 */
export async function writeBlock(
  parts: { inserter: Inserter; partition: number; clock: Clock },
  rows: readonly Row[],
): Promise<BlockCounts> {
  const counts: BlockCounts = { stored: 0, refused: 0, unstorable: 0 };
  const first = rows[0];
  if (first === undefined) return counts;
  const pending: (readonly Row[])[] = [rows];
  for (let block = pending.pop(); block !== undefined; block = pending.pop()) {
    const token = blockToken(first.table, parts.partition, block);
    try {
      await parts.inserter.insert({ table: first.table, body: encodeRows(block), token });
      counts.stored += block.length;
    } catch (error) {
      if (!isRowFault(error)) throw error;
      const [only] = block;
      if (block.length === 1 && only !== undefined) {
        counts.refused++;
        if (!(await buryRow(parts, only, error))) counts.unstorable++;
      } else {
        const middle = block.length >> 1;
        pending.push(block.slice(middle), block.slice(0, middle));
      }
    }
  }
  return counts;
}

/** @returns false when even the dead letter was refused */
async function buryRow(
  parts: { inserter: Inserter; partition: number; clock: Clock },
  row: Row,
  cause: unknown,
): Promise<boolean> {
  const about = describe(row.json);
  const letter: DeadLetter = {
    id: stableId('dl', 'store', row.table, parts.partition, row.place, about.hash),
    time: about.time ?? parts.clock.now(),
    tenant: about.tenant,
    principalId: about.principalId,
    field: '',
    reason: `refused by the store (${row.table}): ${printable(errorText(cause)).slice(0, REASON_CHARS)}`,
    hash: about.hash,
    excerpt: printable(Buffer.from(row.json.subarray(0, EXCERPT_CHARS)).toString('utf8')),
  };
  const grave: Row = {
    table: 'dead_letters',
    place: row.place,
    lead: `"position":${row.place},"partition":${parts.partition}`,
    json: Buffer.from(JSON.stringify(letter)),
  };
  // The time may differ from try to try, so the token is made from what does not.
  const token = `dead_letters:store:${parts.partition}:${letter.id}`;
  try {
    await parts.inserter.insert({ table: grave.table, body: encodeRows([grave]), token });
    return true;
  } catch (error) {
    if (!isRowFault(error)) throw error;
    return false;
  }
}

function isRowFault(error: unknown): boolean {
  return error instanceof Error && 'kind' in error && error.kind === 'row';
}

/** Whose row it was, as far as it can be read. */
function describe(json: Uint8Array): { tenant: string; principalId: string; time: number | undefined; hash: string } {
  const hash = createHash('sha256').update(json).digest('hex');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(json).toString('utf8'));
  } catch {
    value = undefined;
  }
  const field = (name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  const name = (text: unknown): string => (typeof text === 'string' ? printable(text.slice(0, 256)) : '');
  const observedAt = field('observedAt');
  const time =
    typeof observedAt === 'number' && Number.isSafeInteger(observedAt) && observedAt >= 0 ? observedAt : undefined;
  return { tenant: name(field('tenant')), principalId: name(field('principalId')), time, hash };
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** No control characters, and no half characters (UTF-8 has none): fit for people, and cannot be refused again. */
function printable(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('utf8')
    .replaceAll(/\p{Cc}/gu, ' ');
}

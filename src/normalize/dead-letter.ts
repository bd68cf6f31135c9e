import { createHash } from 'node:crypto';
import { stableId } from '../lib/hash.js';
import type { DeadLetter } from '../model/log-record.js';
import type { RefusedRecord } from '../model/wire.js';
import { discretionOf, shownText } from './content.js';
import { cutText } from './fold-text.js';
import type { NormalizeContext } from './port.js';
import { refuse } from './refusal.js';

const MAX_EXCERPT_CHARS = 512;

/** What is kept of a record that was refused: the cause, the hash of the whole, a short beginning, as far as its words may be kept. */
export function deadLetter(refused: Omit<RefusedRecord, 'index'>, context: NormalizeContext): DeadLetter {
  const { principal, observedAt } = context;
  const { place, raw } = refused;
  const hash = place?.hash() ?? createHash('sha256').update(raw).digest('hex');
  const { field, reason } = refuse(
    refused.field,
    place === undefined ? refused.reason : `${place.name}: ${refused.reason}`,
  );
  return {
    // The same bad record sent again, or read again at its place, is the same dead letter.
    id: stableId('dead', principal.id, hash, field, ...(place === undefined ? [] : [place.name])),
    time: observedAt,
    tenant: principal.tenant,
    principalId: principal.id,
    field,
    reason,
    hash,
    excerpt: cutText(shownText(raw.slice(0, 2 * MAX_EXCERPT_CHARS), discretionOf(context)), MAX_EXCERPT_CHARS),
  };
}

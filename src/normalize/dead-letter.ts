import { createHash } from 'node:crypto';
import { stableId } from '../lib/hash.js';
import type { DeadLetter } from '../model/log-record.js';
import { discretionOf, shownText } from './content.js';
import { cutText } from './fold-text.js';
import type { NormalizeContext } from './port.js';
import { refuse } from './refusal.js';

const MAX_EXCERPT_CHARS = 512;

/** What is kept of a record that was refused: the cause, the hash of the whole, a short beginning, as far as its words may be kept. */
export function deadLetter(
  refused: { field: string; reason: string; raw: string },
  context: NormalizeContext,
): DeadLetter {
  const { principal, observedAt } = context;
  const hash = createHash('sha256').update(refused.raw).digest('hex');
  const { field, reason } = refuse(refused.field, refused.reason);
  return {
    // The same bad record sent again is the same dead letter.
    id: stableId('dead', principal.id, hash, field),
    time: observedAt,
    tenant: principal.tenant,
    principalId: principal.id,
    field,
    reason,
    hash,
    excerpt: cutText(shownText(refused.raw.slice(0, 2 * MAX_EXCERPT_CHARS), discretionOf(context)), MAX_EXCERPT_CHARS),
  };
}

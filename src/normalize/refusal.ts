import type { z } from 'zod';
import { explainIssue, issuePath } from '../lib/explain-issue.js';
import { cutText, visibleText } from './fold-text.js';
import type { Refused } from './port.js';

const MAX_FIELD_CHARS = 256;
const MAX_REASON_CHARS = 512;
const TIME =
  'a time: whole milliseconds since 1970 (1736124453094), or ISO 8601 text with a time zone ("2025-01-06T00:47:33.094Z")';
const FORMS = { time: TIME, expiresAt: TIME };

/** A refusal with bounded, harmless texts: field names and values come from whoever sent the record. */
export function refuse(field: string, reason: string): Refused {
  return { ok: false, field: bounded(field, MAX_FIELD_CHARS), reason: bounded(reason, MAX_REASON_CHARS) };
}

/** A schema's complaint in plain words: the first field that is wrong, what is wrong, what to do. */
export function refuseIssues(error: z.ZodError, record: unknown): Refused {
  const [issue] = error.issues;
  if (issue === undefined) return refuse('', 'does not fit the schema; see GET /v1/schema/observation');
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more problems in this record)` : '';
  return refuse(issuePath(issue), explainIssue(issue, record, FORMS) + more);
}

function bounded(text: string, max: number): string {
  return cutText(visibleText(text.slice(0, max)), max);
}

import { normalizerOf } from '../translate.js';
import { isRecord } from './attribute-reader.js';
import { draftsOf, type Work } from './work-drafts.js';

/** Work of agents whose agent and session are known, as the OTLP intake hands them over. */
export const workNormalizer = normalizerOf({
  format: 'otlp-work',
  translate: (record, { principal }) => (isWork(record) ? draftsOf(record, principal.streams.has('action')) : []),
});

/** Only the OTLP intake makes these; whatever else is given says nothing. */
function isWork(record: unknown): record is Work {
  if (!isRecord(record) || !isRecord(record['said']) || typeof record['agentId'] !== 'string') return false;
  return Array.isArray(record['said']['input']) && Array.isArray(record['said']['output']);
}

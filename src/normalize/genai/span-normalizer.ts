import { normalizerOf } from '../translate.js';
import { isRecord } from './attribute-reader.js';
import { draftsOf, type PlacedSpan } from './span-drafts.js';

/** Spans of generative AI whose agent and session are known, as the OTLP intake hands them over. */
export const spanNormalizer = normalizerOf({
  format: 'otlp-span',
  translate: (record, { principal }) => (isPlaced(record) ? draftsOf(record, principal.streams.has('action')) : []),
});

/** Only the OTLP intake makes these; whatever else is given says nothing. */
function isPlaced(record: unknown): record is PlacedSpan {
  return (
    isRecord(record) && isRecord(record['span']) && isRecord(record['said']) && typeof record['agentId'] === 'string'
  );
}

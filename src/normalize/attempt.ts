import { canonicalJson } from '../lib/canonical-json.js';
import { stableId } from '../lib/hash.js';
import type { AttemptObservation } from '../model/observation.js';
import type { CheckRequest } from '../model/wire.js';
import { baseFields, payloadOf } from './base-fields.js';
import { deriveCall } from './call-fields.js';
import { discretionOf, shownText } from './content.js';
import { encodeRecord } from '../model/encode-record.js';
import type { NormalizeContext, PreparedAttempt } from './port.js';

/**
 * The observation of a call that a gateway asks about, and its records for the log.
 *
 * Its id is kept apart from that of the audit record: a gateway may well use one id for the question and the report.
 */
export function prepareAttempt(request: CheckRequest, context: NormalizeContext): PreparedAttempt {
  const discretion = discretionOf(context);
  const { fields, content } = deriveCall(request, discretion);
  // How long the gateway waits is no part of what it asks: a repeated question has the same id.
  const { deadlineMs: _, ...given } = request;
  // Without an id of its own the question is told apart by all it says: a model may use one call id twice.
  const asked = given.id === undefined ? { ...given, kind: 'tool_attempt' } : { ...given, id: `attempt/${given.id}` };
  const base = baseFields(asked, context);
  const observation: AttemptObservation = {
    ...base,
    stream: 'action',
    kind: 'tool_attempt',
    ...fields,
    ...(request.ask === undefined
      ? { decision: 'none' }
      : { decision: 'ask', reason: shownText(request.ask, discretion) }),
    argsHash: stableId('args', String(context.seed), canonicalJson(request.args ?? {})),
  };
  const records = [encodeRecord({ type: 'observation', value: observation })];
  if (content !== undefined) records.push(encodeRecord({ type: 'payload', value: payloadOf(observation, content) }));
  return { observation, records };
}

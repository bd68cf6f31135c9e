import type { Payload } from '../../model/observation.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { listLimit } from '../query.js';

const MAX_REASON_CHARS = 1_024;
/** An observation's id is its emitter's with the key before it. */
const MAX_ID_CHARS = MAX_NAME_CHARS + 128;

/**
 * `GET /v1/observations/:id/content?reason=`: what is kept of an observation's words. Answered after the log has committed
 * who reads it and why; where it cannot, nothing is read.
 */
export function getContent({ ports }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const reason = (c.req.query('reason') ?? '').trim();
    if (reason === '' || reason.length > MAX_REASON_CHARS) {
      throw new ApiError(400, 'invalid', `must say why this is read, in at most ${MAX_REASON_CHARS} characters`, {
        field: 'reason',
        fix: 'add ?reason=... to the address; it is kept with your key and the time',
      });
    }
    const id = c.req.param('id') ?? '';
    const found = id.length > MAX_ID_CHARS ? undefined : await ports.content.read(c.var.principal, id, reason);
    const payload = present(found);
    if (payload === undefined) {
      throw new ApiError(404, 'not-found', 'there is no content of this observation', {
        fix: 'its source may keep none (keys[].content), it may be older than clickhouse.payloadDays, or not stored yet',
      });
    }
    return c.json(shown(payload));
  };
}

/** `GET /v1/audit`: who read whose content, when and why. */
export function getAudit({ ports }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    return c.json({ reads: present(await ports.content.audit(c.var.principal.tenant, listLimit(c))) });
  };
}

/** @throws ApiError 503 */
function present<T>(answer: T | 'away'): T {
  if (answer !== 'away') return answer;
  throw new ApiError(503, 'store-away', 'ClickHouse does not answer now', {
    fix: 'ask again; GET /v1/status says how storing is',
    retryAfterSeconds: 5,
  });
}

/** The content as the JSON it is; one that was damaged as text. */
function shown({ content, ...about }: Payload): Record<string, unknown> {
  try {
    return { ...about, content: JSON.parse(content) as unknown };
  } catch {
    return { ...about, content };
  }
}

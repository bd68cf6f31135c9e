import { OverloadError } from '../../lib/overload.js';
import { contentTypeOf, unknownContentType } from '../content-type.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError, type ErrorStatus } from '../errors.js';
import type { OtlpEncoding, OtlpSignal } from '../port.js';
import { withBatch } from '../with-batch.js';

const CONTENT_TYPES: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};
/** Codes of google.rpc.Code by HTTP status. */
const RPC_CODES: Partial<Record<ErrorStatus, number>> = { 400: 3, 401: 16, 409: 6, 413: 8, 415: 3, 429: 8, 503: 14 };
const RPC_INTERNAL = 13;

/**
 * `POST /v1/traces`, `/v1/logs`, `/v1/metrics`: OTLP/HTTP 1.11. Answers in the encoding of the request: 200 with a
 * partial success where records were refused (a client must not send them again), 400 and 413 for what no repetition
 * mends, 429 and 503 with `Retry-After` for what one does.
 */
export function postOtlp(deps: ApiDeps, signal: OtlpSignal) {
  const { ports, limits } = deps;
  return async (c: ApiContext): Promise<Response> => {
    const encoding = encodingOf(c);
    const type = { 'Content-Type': CONTENT_TYPES[encoding] };
    try {
      const answer = await withBatch(c, deps, limits.maxOtlpBytes, (body) =>
        ports.otlp.receive({ signal, encoding, body }, c.var.principal),
      );
      return c.body(toBuffer(answer), 200, type);
    } catch (error) {
      const { status, retryAfterSeconds, message } = describe(error);
      const retry = retryAfterSeconds === undefined ? undefined : { 'Retry-After': String(retryAfterSeconds) };
      const body = ports.otlp.errorBody(encoding, RPC_CODES[status] ?? RPC_INTERNAL, message);
      return c.body(toBuffer(body), status, { ...type, ...retry });
    }
  };
}

/** @throws ApiError 415 */
function encodingOf(c: ApiContext): OtlpEncoding {
  const type = contentTypeOf(c);
  if (type === CONTENT_TYPES.protobuf) return 'protobuf';
  if (type === CONTENT_TYPES.json) return 'json';
  throw unknownContentType('send application/x-protobuf or application/json');
}

/** What is told of an error. @throws what nobody foresaw, so that it is recorded */
function describe(error: unknown): { status: ErrorStatus; retryAfterSeconds?: number; message: string } {
  if (error instanceof OverloadError) {
    return { status: error.status, retryAfterSeconds: error.retryAfterSeconds, message: error.message };
  }
  if (error instanceof ApiError) return { status: error.status, message: `${error.message}; ${error.extra.fix ?? ''}` };
  const status = error instanceof Error && 'otlpStatus' in error ? error.otlpStatus : undefined;
  if (error instanceof Error && (status === 400 || status === 413)) return { status, message: error.message };
  throw error;
}

function toBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

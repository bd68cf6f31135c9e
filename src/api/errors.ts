import type { Context } from 'hono';
import { OverloadError } from '../lib/overload.js';

export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 429 | 500 | 503;

/** A refusal that is told to the caller: code for programs, message and fix for people. */
export class ApiError extends Error {
  override name = 'ApiError';

  constructor(
    readonly status: ErrorStatus,
    readonly code: string,
    message: string,
    readonly extra: { field?: string; fix?: string; retryAfterSeconds?: number; headers?: Record<string, string> } = {},
  ) {
    super(message);
  }
}

/** Answers with `{error: {code, message, field?, fix?}}`. An error nobody foresaw is counted, and told without detail. */
export function answerError(c: Context, error: unknown, onUnexpected: (error: unknown) => void): Response {
  const known =
    error instanceof OverloadError ? fromOverload(error) : isLogFull(error) ? fromOverload(LOG_FULL) : error;
  if (!(known instanceof ApiError)) {
    onUnexpected(error);
    return c.json({ error: { code: 'internal', message: 'an error inside the service; it was recorded' } }, 500);
  }
  const { field, fix, retryAfterSeconds, headers } = known.extra;
  for (const [name, value] of Object.entries(headers ?? {})) c.header(name, value);
  if (retryAfterSeconds !== undefined) c.header('Retry-After', String(retryAfterSeconds));
  const body: Record<string, string> = { code: known.code, message: known.message };
  if (field !== undefined) body['field'] = field;
  if (fix !== undefined) body['fix'] = fix;
  return c.json({ error: body }, known.status);
}

const LOG_FULL = new OverloadError('the log takes no more for now; send again later', 503, 5);

/** What every route that writes may meet. The log's own class is behind its port; the code is part of the port. */
function isLogFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LOG_FULL';
}

function fromOverload(error: OverloadError): ApiError {
  return new ApiError(error.status, error.status === 429 ? 'overloaded' : 'unavailable', error.message, {
    fix: `send again after ${error.retryAfterSeconds} s`,
    retryAfterSeconds: error.retryAfterSeconds,
  });
}

import type { Principal } from '../model/principal.js';
import type { ApiContext } from './context.js';
import { ApiError } from './errors.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
/** What is looked through for a key that is bound to some agents only. */
const MAX_LOOKED_THROUGH = 10_000;

/** The `limit` of a list. @throws ApiError 400 */
export function listLimit(c: ApiContext): number {
  const text = c.req.query('limit');
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = text.length <= 6 && /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) {
    throw new ApiError(400, 'invalid', `must be a whole number from 1 to ${MAX_LIMIT}`, { field: 'limit' });
  }
  return limit;
}

/** How many to ask a board for so that `limit` remain after those of other agents are left out. */
export function boardLimit(principal: Principal, limit: number): number {
  return principal.agents.includes('*') && principal.role !== 'gateway' ? limit : MAX_LOOKED_THROUGH;
}

/**
 * A place in the order of commands, as it was given out before.
 *
 * @param field name of the parameter or header, for the message
 * @throws ApiError 400 for something that we never gave
 */
export function placeOf(text: string | undefined, field: string, fix: string): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (text.length > 15 || !/^[0-9]+$/.test(text)) {
    throw new ApiError(400, 'invalid', 'must be the place of the last message received, a whole number', {
      field,
      fix,
    });
  }
  return Number(text);
}

/** Below the minute after which many proxies give up on an answer. */
const MAX_WAIT_MS = 55_000;

/** The `waitMs` of a question that may wait for its answer. @throws ApiError 400 */
export function waitMsOf(c: ApiContext, fallback: number): number {
  const text = c.req.query('waitMs');
  if (text === undefined) return fallback;
  const waitMs = text.length <= 6 && /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(waitMs <= MAX_WAIT_MS)) {
    throw new ApiError(400, 'invalid', `must be a whole number of milliseconds, at most ${MAX_WAIT_MS}`, {
      field: 'waitMs',
    });
  }
  return waitMs;
}

import type { ApiContext } from './context.js';
import { ApiError } from './errors.js';

/** Content type of a request without its parameters, lower case. */
export function contentTypeOf(c: ApiContext, fallback = ''): string {
  return (c.req.header('content-type') ?? fallback).split(';')[0]?.trim().toLowerCase() ?? '';
}

/** @param fix what to send instead */
export function unknownContentType(fix: string): ApiError {
  return new ApiError(415, 'content-type', 'this content-type is not understood', { fix });
}

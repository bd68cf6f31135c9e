import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { z } from 'zod';
import { explainIssue, issuePath } from '../lib/explain-issue.js';
import { OverloadError } from '../lib/overload.js';
import type { ByteBudget } from './byte-budget.js';
import { ApiError } from './errors.js';
import { measure } from './json-boundaries.js';

const inflate = promisify(gunzip);

export interface BodyLimits {
  /** Most bytes, compressed and after decompression. */
  maxBytes: number;
  /** Bytes of bodies held by all requests together. */
  budget: ByteBudget;
}

/**
 * Reads a request's body and hands it on; its bytes count against the budget until `use` is done with them.
 *
 * @throws ApiError 413 above the limit (also after decompression), 415 for other encodings, 400 for broken gzip
 * @throws OverloadError 429 when too many bytes are held already
 */
export async function withBody<T>(
  request: IncomingMessage,
  limits: BodyLimits,
  use: (body: Buffer) => Promise<T>,
): Promise<T> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new ApiError(415, 'encoding', 'this content-encoding is not understood', { fix: 'send gzip, or none' });
  }
  const declared = Number(request.headers['content-length'] ?? '0');
  if (declared > limits.maxBytes) throw tooLarge(limits.maxBytes);
  let held = 0;
  const hold = (bytes: number) => {
    if (!limits.budget.take(bytes))
      throw new OverloadError('too many requests are being read; send again later', 429, 1);
    held += bytes;
  };
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request) {
      if (!Buffer.isBuffer(chunk)) continue;
      size += chunk.length;
      if (size > limits.maxBytes) throw tooLarge(limits.maxBytes);
      hold(chunk.length);
      chunks.push(chunk);
    }
    const [only] = chunks;
    const raw = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
    if (encoding === 'identity') return await use(raw);
    const body = await decompress(raw, limits.maxBytes);
    hold(body.length);
    return await use(body);
  } finally {
    limits.budget.give(held);
  }
}

/**
 * A small JSON body, checked against a schema.
 *
 * @throws ApiError 400 naming the field and what it must be
 */
export async function readJson<T>(request: IncomingMessage, limits: BodyLimits, schema: z.ZodType<T>): Promise<T> {
  return withBody(request, limits, async (body) => {
    const depth = { maxDepth: MAX_BODY_DEPTH, maxRecordBytes: limits.maxBytes, maxRecords: 1 };
    if (measure(body, { start: 0, end: body.length }, depth).trouble !== undefined) {
      throw new ApiError(400, 'too-deep', `the body is nested deeper than ${MAX_BODY_DEPTH} levels`, {
        fix: 'flatten it',
      });
    }
    let value: unknown;
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch {
      throw new ApiError(400, 'malformed', 'the body is not valid JSON', { fix: 'check quotes, commas and brackets' });
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new ApiError(
      400,
      'invalid',
      issue === undefined ? 'does not fit its schema' : explainIssue(issue, value, FORMS),
      {
        field: issue === undefined ? '' : issuePath(issue).slice(0, MAX_FIELD_CHARS),
        fix: 'see GET /v1/openapi.json for the fields of this body',
      },
    );
  });
}

const MAX_BODY_DEPTH = 32;
const MAX_FIELD_CHARS = 256;
const FORMS = { time: 'a time: whole milliseconds since 1970, or ISO 8601 text with a time zone' };

async function decompress(raw: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await inflate(raw, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw new ApiError(400, 'gzip', 'the body is not valid gzip', { fix: 'compress it again, or send it as it is' });
  }
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(413, 'too-large', `the body is larger than ${maxBytes} bytes`, {
    fix: 'send fewer records at a time',
    // What is still coming is not read.
    headers: { Connection: 'close' },
  });
}

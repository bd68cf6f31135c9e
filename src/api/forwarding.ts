import { checkAnswerSchema, type CheckAnswer, type CheckRequest } from '../model/wire.js';
import type { ApiContext, ApiDeps } from './context.js';
import { ApiError } from './errors.js';

/** Set on what one node asks another, which answers by itself whatever it thinks of who owns the agent. */
const FORWARDED = 'X-Parallax-Forwarded';
/** How long another node may take for what nobody waits for by the millisecond, ms. */
const FORWARD_MS = 15_000;
/** What a gateway's deadline leaves for the way there and back, ms. */
const WAY_MS = 50;

type Handler = (c: ApiContext) => Response | Promise<Response>;

/**
 * Has a request about one agent answered where the agent is scored: by the handler here, or by the node that owns the
 * agent's partition, which is asked with the caller's own key. A caller without a key of its own (a person's session on
 * the page) is answered from what is known here.
 *
 * @param agentOf the agent a request is about; undefined where there is none
 */
export function atOwner(deps: ApiDeps, agentOf: (c: ApiContext) => string | undefined, handler: Handler): Handler {
  return async (c) => {
    const agentId = agentOf(c);
    const url = agentId === undefined ? undefined : ownerUrl(c, deps, agentId);
    if (url === undefined) return handler(c);
    const { incoming } = c.env;
    const { pathname, search } = new URL(c.req.url);
    const hasBody = c.req.method !== 'GET' && c.req.method !== 'HEAD';
    try {
      const answer = await fetch(new URL(pathname + search, url), {
        method: c.req.method,
        headers: headersOf(c),
        redirect: 'error',
        signal: AbortSignal.timeout(FORWARD_MS),
        ...(hasBody ? { body: incoming, duplex: 'half' as const } : {}),
      });
      return new Response(answer.body, { status: answer.status, headers: contentTypeOf(answer) });
    } catch {
      throw new ApiError(503, 'unavailable', 'the node that scores this agent does not answer', {
        fix: 'ask again in a moment: another node takes its place',
        retryAfterSeconds: 2,
      });
    }
  };
}

/**
 * The owner's answer to a check, or undefined where it is to be answered here: by the owner, or because the owner
 * cannot be reached in time.
 *
 * @param request with the deadline that it still has, ms
 */
export async function checkAtOwner(
  c: ApiContext,
  deps: ApiDeps,
  request: CheckRequest,
  deadlineMs: number,
): Promise<CheckAnswer | undefined> {
  const url = ownerUrl(c, deps, request.agentId);
  if (url === undefined) return undefined;
  try {
    const answer = await fetch(new URL('/v1/check', url), {
      method: 'POST',
      headers: headersOf(c),
      redirect: 'error',
      body: JSON.stringify({ ...request, deadlineMs: Math.max(1, deadlineMs - WAY_MS) }),
      signal: AbortSignal.timeout(deadlineMs),
    });
    if (!answer.ok) return undefined;
    return checkAnswerSchema.parse(await answer.json());
  } catch {
    return undefined;
  }
}

function ownerUrl(c: ApiContext, { ports }: ApiDeps, agentId: string): string | undefined {
  const isAnsweredHere = c.req.header(FORWARDED) !== undefined || c.req.header('authorization') === undefined;
  return isAnsweredHere ? undefined : ports.owners?.urlOf(c.var.principal.tenant, agentId);
}

function headersOf(c: ApiContext): Record<string, string> {
  const headers: Record<string, string> = { [FORWARDED]: '1' };
  for (const name of ['authorization', 'content-type', 'content-encoding']) {
    const value = c.req.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

function contentTypeOf(answer: Response): Record<string, string> {
  return { 'Content-Type': answer.headers.get('content-type') ?? 'application/json' };
}

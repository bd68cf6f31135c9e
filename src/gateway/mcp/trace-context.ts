/** Ids of a W3C trace context, as far as observations carry them. */
export interface TraceIds {
  traceId: string;
  spanId: string;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-|$)/;

/**
 * Trace and span of a request's `_meta.traceparent` (W3C Trace Context, level 2, 3.2): where MCP carries it.
 *
 * @returns undefined where there is none, or it is not valid
 */
export function traceIdsOf(meta: Readonly<Record<string, unknown>> | undefined): TraceIds | undefined {
  const header = meta?.['traceparent'];
  if (typeof header !== 'string' || header.length > 512 || header.startsWith('ff')) return undefined;
  const [, traceId = '', spanId = ''] = TRACEPARENT.exec(header) ?? [];
  return /[1-9a-f]/.test(traceId) && /[1-9a-f]/.test(spanId) ? { traceId, spanId } : undefined;
}

/** A request's `_meta` as it goes on to the server: everything but what belongs to this hop alone. */
export function metaForServer(
  meta: Readonly<Record<string, unknown>> | undefined,
): Record<string, unknown> | undefined {
  if (meta === undefined) return undefined;
  const kept = Object.entries(meta).filter(([key]) => !OWN_HOP.has(key));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** The progress token is ours towards the server; tasks are not passed on. */
const OWN_HOP = new Set(['progressToken', 'io.modelcontextprotocol/related-task']);

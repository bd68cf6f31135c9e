import { BoundedMap } from '../../lib/bounded-map.js';
import type { Who } from '../genai/said.js';

const MAX_TRACES = 20_000;
const MAX_SPANS = 200_000;
const MAX_SERVICES = 10_000;
const MAX_CALLS = 50_000;
const MAX_CONVERSATIONS = 50_000;
/** Spans that named the same agent before a service is taken for that agent without waiting for the trace. */
const TRUSTED_AFTER = 16;
/** A trace's ancestors are followed so far. */
const MAX_ANCESTORS = 64;

/** What a span or log record tells about its place. */
export interface Placement extends Who {
  tenant: string;
  /** Empty where there is none. */
  traceId: string;
  spanId: string;
  parentSpanId: string;
  /** A span; a log record only stands in one. */
  isSpan: boolean;
  /** A data point speaks of an agent as a whole unless it names a session. */
  mayLackSession: boolean;
  callId?: string;
  /** `service.name`, and what the resource says about the agent. */
  service: string;
  resource: Who;
}

/** Whose a record is, and how that is known. */
export interface Found {
  agentId: string;
  sessionId: string;
  /** The agent that called this one. */
  parentAgentId?: string;
  by: FoundBy;
}

/** From the surest to the least sure. */
export const FOUND_BY = ['itself', 'resource', 'ancestor', 'trace', 'call', 'conversation', 'service'] as const;
export type FoundBy = (typeof FOUND_BY)[number];

interface SpanNode extends Who {
  parentSpanId: string;
}

interface ServiceNode {
  /** Agents that it was, at most two: more than one is not told apart. */
  agents: Set<string>;
  /** Spans that named one. */
  named: number;
}

interface TraceNode {
  /** The first session that any of its spans names. */
  sessionId: string | undefined;
  /** Agents named in it; more than one is not told apart without an ancestor. */
  agents: Set<string>;
  /** What was said for want of better; the rest of the trace keeps to it. */
  fallback: string | undefined;
}

/**
 * Finds out whose a record is. Spans of tools and models do not carry the agent's name: they have it from the
 * `invoke_agent` span around them, which ends (and is sent) last. The order: what the record itself says, its
 * resource, the nearest ancestor, the trace's only agent, the agent of the same tool call, of the same conversation, the
 * only agent that this service ever was, and at last the service's own name.
 *
 * State is bounded; the oldest trace gives way, and what comes of it later is placed as if it were the first.
 */
export class TraceJoin {
  readonly #traces = new BoundedMap<string, TraceNode>(MAX_TRACES);
  readonly #spans = new BoundedMap<string, SpanNode>(MAX_SPANS);
  readonly #services = new BoundedMap<string, ServiceNode>(MAX_SERVICES);
  readonly #calls = new BoundedMap<string, Found>(MAX_CALLS);
  readonly #conversations = new BoundedMap<string, string>(MAX_CONVERSATIONS);

  /** Takes in what a record tells about its trace, so that others can be placed by it. */
  note(place: Placement): void {
    const { tenant, traceId, spanId, parentSpanId, isSpan, agentId, sessionId, service } = place;
    if (agentId !== undefined && service !== '') this.#noteService(tenant, service, agentId);
    if (agentId !== undefined && sessionId !== undefined) {
      this.#conversations.set(key(tenant, sessionId), agentId);
    }
    if (traceId === '') return;
    const trace = this.#traceOf(tenant, traceId);
    if (isSpan) {
      const node: SpanNode = { parentSpanId };
      if (agentId !== undefined) node.agentId = agentId;
      if (sessionId !== undefined) node.sessionId = sessionId;
      this.#spans.set(key(tenant, traceId, spanId), node);
    }
    if (agentId !== undefined && trace.agents.size < 2) trace.agents.add(agentId);
    trace.sessionId ??= sessionId;
  }

  /**
   * Whose this record is; undefined while waiting for more of its trace may tell.
   *
   * @param isLast nothing more is waited for: the service's name will do
   */
  find(place: Placement, isLast: boolean): Found | undefined {
    const { tenant, traceId, callId } = place;
    const trace = traceId === '' ? undefined : this.#traces.peek(key(tenant, traceId));
    const owner = this.#agentOf(place, trace, isLast);
    if (owner === undefined) return undefined;
    const sessionId =
      place.sessionId ??
      this.#above(place, (node) => node.sessionId) ??
      place.resource.sessionId ??
      trace?.sessionId ??
      traceId;
    if (sessionId === '' && !place.mayLackSession) return undefined;
    // The nearest agent above that is another one.
    const parent = this.#above(place, ({ agentId }) => (agentId === owner.agentId ? undefined : agentId));
    const found: Found = { ...owner, sessionId, ...(parent === undefined ? {} : { parentAgentId: parent }) };
    if (callId !== undefined) this.#calls.set(key(tenant, callId), found);
    return found;
  }

  #agentOf(place: Placement, trace: TraceNode | undefined, isLast: boolean): Pick<Found, 'agentId' | 'by'> | undefined {
    const { tenant, agentId, resource, service, callId, sessionId } = place;
    if (agentId !== undefined) return { agentId, by: 'itself' };
    const above = this.#above(place, (node) => node.agentId);
    if (above !== undefined) return { agentId: above, by: 'ancestor' };
    if (resource.agentId !== undefined) return { agentId: resource.agentId, by: 'resource' };
    const [only] = trace?.agents.size === 1 ? trace.agents : [];
    if (only !== undefined) return { agentId: only, by: 'trace' };
    const call = callId === undefined ? undefined : this.#calls.peek(key(tenant, callId));
    if (call !== undefined) return { agentId: call.agentId, by: 'call' };
    const conversation = sessionId === undefined ? undefined : this.#conversations.peek(key(tenant, sessionId));
    if (conversation !== undefined) return { agentId: conversation, by: 'conversation' };
    if (trace?.fallback !== undefined) return { agentId: trace.fallback, by: 'service' };
    const { agents, named = 0 } = this.#services.peek(key(tenant, service)) ?? {};
    const [known] = agents?.size === 1 ? agents : [];
    // A service that begins to be a second agent says so at the end of its first run.
    if (!isLast && (known === undefined || named < TRUSTED_AFTER)) return undefined;
    if (known === undefined && service === '') return undefined;
    const fallback = known ?? service;
    if (trace !== undefined) trace.fallback = fallback;
    return { agentId: fallback, by: 'service' };
  }

  /** The first that the spans above a record say; a log record begins at the span it stands in. */
  #above(place: Placement, pick: (node: SpanNode) => string | undefined): string | undefined {
    const { tenant, traceId, spanId, parentSpanId, isSpan } = place;
    let at = isSpan ? parentSpanId : spanId;
    for (let i = 0; i < MAX_ANCESTORS && at !== ''; i++) {
      const node = this.#spans.peek(key(tenant, traceId, at));
      if (node === undefined) return undefined;
      const found = pick(node);
      if (found !== undefined) return found;
      at = node.parentSpanId;
    }
    return undefined;
  }

  #traceOf(tenant: string, traceId: string): TraceNode {
    const name = key(tenant, traceId);
    const held = this.#traces.get(name);
    if (held !== undefined) return held;
    const made: TraceNode = {
      sessionId: undefined,
      agents: new Set(),
      fallback: undefined,
    };
    this.#traces.set(name, made);
    return made;
  }

  #noteService(tenant: string, service: string, agentId: string): void {
    const name = key(tenant, service);
    const node = this.#services.get(name) ?? { agents: new Set(), named: 0 };
    if (node.agents.size < 2) node.agents.add(agentId);
    node.named++;
    this.#services.set(name, node);
  }
}

function key(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

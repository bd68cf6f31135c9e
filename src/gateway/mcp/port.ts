import type { CallToolResult, Prompt, Resource, ResourceTemplate, Tool } from '@modelcontextprotocol/sdk/types.js';
import type { Effect, Tier } from '../../model/observation.js';

/** What lists of a server can change. */
export const LIST_KINDS = ['tools', 'resources', 'prompts'] as const;
export type ListKind = (typeof LIST_KINDS)[number];

/** What a server offers, as far as it may be passed on. */
export interface ServerOffer {
  tools: readonly Tool[];
  resources: readonly Resource[];
  templates: readonly ResourceTemplate[];
  prompts: readonly Prompt[];
}

/** Who a call is made for: given by configuration or key, never by the client. */
export interface Subject {
  agentId: string;
  sessionId: string;
}

/** What the reference library says about a tool in the hands of an agent. */
export type LibraryLook = (agentId: string, tool: string) => { effect?: Effect; tier?: Tier };

/** How a call ended, for the gateway's log: no argument, no result, no text that a server or an agent wrote. */
export interface CallRecord extends Subject {
  callId: string;
  tool: string;
  effect: Effect;
  outcome: 'executed' | 'failed' | 'refused' | 'unavailable' | 'cancelled';
  refusedBy?: RefusedBy;
  ruleId?: string;
  incidentId?: string;
  latencyMs: number;
}

/**
 * `rule`: this gateway's own; `definition`: the tool is not the one that was first seen; `limit`: of this gateway;
 * `command`: a restriction in force; `observer`: it said deny; `approval`: nobody agreed in time; `person`: somebody
 * refused; `posture`: the observer did not answer.
 */
export type RefusedBy = 'rule' | 'definition' | 'limit' | 'command' | 'observer' | 'approval' | 'person' | 'posture';

/** Everything the gateway has to say about itself. */
export type McpGatewayEvent =
  | { type: 'server-up'; server: string; tools: number; resources: number; prompts: number; withinMs: number }
  | { type: 'server-down'; server: string; cause: string; retryMs: number }
  | { type: 'server-fault'; server: string; cause: string }
  | { type: 'definition-left-out'; server: string; kind: ListKind; count: number; cause: string }
  | { type: 'definition-changed'; server: string; tool: string; refused: boolean }
  | { type: 'definitions-unsaved'; cause: string }
  | { type: 'session-opened'; agentId: string; sessionId: string; clientId?: string }
  | { type: 'session-closed'; agentId: string; sessionId: string; calls: number }
  | { type: 'client-refused'; status: number; cause: string }
  | ({ type: 'call' } & CallRecord);

export type Report = (event: McpGatewayEvent) => void;

/** What a client gets back from a tool. */
export type ToolAnswer = CallToolResult;

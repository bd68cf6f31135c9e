/** The four streams that are joined. See docs/architecture.md for what each is worth as evidence. */
export const STREAMS = ['reasoning', 'action', 'governance', 'metric'] as const;
export type Stream = (typeof STREAMS)[number];

export function isStream(name: string): name is Stream {
  return STREAMS.some((stream) => stream === name);
}

/** What a call does to the world: `read` looks, `write` changes, `auth` handles identity or secrets. */
export const EFFECTS = ['read', 'write', 'auth', 'unknown'] as const;
export type Effect = (typeof EFFECTS)[number];

/** A gateway's decision, normalised; the raw word stays beside it. `none`: not decided yet (an attempt). */
export const DECISIONS = ['allow', 'deny', 'ask', 'transform', 'timeout', 'error', 'none'] as const;
export type Decision = (typeof DECISIONS)[number];

/** Tier of an action in the reference library, least to most restricted. */
export const TIERS = ['autonomous', 'pre-approved', 'approval', 'prohibited'] as const;
export type Tier = (typeof TIERS)[number];

/**
 * Where an argument value was first seen: the user's request, an earlier tool result, both, neither, or not known
 * because that part of the session was not observed.
 */
export const ORIGINS = ['prompt', 'result', 'both', 'none', 'unknown'] as const;
export type Origin = (typeof ORIGINS)[number];

/** Current version of the observation's own shape; a reader refuses versions it does not know. */
export const SCHEMA_VERSION = 1;

/** What every observation carries, whichever stream it came on. */
export interface ObservationBase {
  /** Dedupe key: the same event delivered twice has the same id. */
  id: string;
  schemaVersion: typeof SCHEMA_VERSION;
  /** Event time, epoch ms: when the emitter says it happened. */
  time: number;
  /** Processing time, epoch ms: when intake accepted it. */
  observedAt: number;
  tenant: string;
  agentId: string;
  /** The authenticated emitter: the id of the API key, never something the payload claims. */
  principalId: string;
  parentAgentId?: string;
  sessionId?: string;
  traceId?: string;
  spanId?: string;
  callId?: string;
  /** The emitter's own order within the session, where it has one. */
  seq?: number;
}

/** The user (or another authority) asks. Every user turn is authority. */
export interface PromptObservation extends ObservationBase {
  stream: 'reasoning';
  kind: 'prompt';
  chars: number;
  /** Keyed 32-bit hashes of what is asked: stemmed words; quoted text, addresses, amounts become typed marks. */
  words: number[];
  /** Keyed 32-bit hashes of every word and value (address, name, number ...) the text mentions. */
  values: number[];
}

/** A call that the model announced. */
export interface DeclaredCall {
  callId?: string;
  tool: string;
}

/** The model speaks: text, and the calls it declares. A claim, not evidence. */
export interface MessageObservation extends ObservationBase {
  stream: 'reasoning';
  kind: 'message';
  chars: number;
  tokens?: number;
  model?: string;
  declared: DeclaredCall[];
  /** Keyed 32-bit hashes of the words the text mentions. */
  words: number[];
}

/** One thing a call acts on. */
export interface Target {
  /** Argument name. */
  field: string;
  /** email, url, iban, file, party, channel, record, query, host, amount, text ... */
  kind: string;
  /** For people; truncated, secrets replaced. */
  value: string;
  /** Keyed 32-bit hash of the whole normalised value. */
  hash: number;
  /** Keyed 32-bit hashes of the value's words. */
  words: number[];
  /** As known to the emitter; `unknown` lets scoring resolve it from the session's own record. */
  origin: Origin;
  originCall?: string;
  originTool?: string;
}

/** Fields shared by a call's attempt and its audit record. */
interface CallFields {
  tool: string;
  operation?: string;
  effect: Effect;
  tier?: Tier;
  targets: Target[];
  /** Keyed hashes of the words in all argument values. */
  argWords: number[];
  argBytes: number;
}

/** A gateway asks before it lets a call through: `POST /v1/check`. */
export interface AttemptObservation extends ObservationBase, CallFields {
  stream: 'action';
  kind: 'tool_attempt';
  /** `ask`: the gateway's own rules want a person to agree. */
  decision: 'none' | 'ask';
  /** Keyed hash of all arguments as they came: what a person approves is exactly this. */
  argsHash?: string;
  /** Why the gateway's own rules want a person to agree. */
  reason?: string;
}

/** A gateway's audit record: what was attempted, decided, and what came of it. */
export interface ToolCallObservation extends ObservationBase, CallFields {
  stream: 'action';
  kind: 'tool_call';
  decision: Decision;
  /** The gateway's own word for the decision. */
  rawDecision?: string;
  reason?: string;
  ruleId?: string;
  policyVersion?: string;
  approvalId?: string;
  /** Error class where the call failed. */
  error?: string;
  /** 0 empty, 1 below 4 KiB, 2 more. */
  resultClass?: number;
}

/** What a tool gave back, reported by the gateway. */
export interface ToolResultObservation extends ObservationBase {
  stream: 'action';
  kind: 'tool_result';
  tool: string;
  error?: string;
  resultClass: number;
  /** Keyed 32-bit hashes of every word and value the result contains: the other half of provenance. */
  values: number[];
}

/** Kinds of governance events. `policy_deny` and `content_redaction` are acts of a control on one call. */
export const GOVERNANCE_KINDS = [
  'session_start',
  'session_end',
  'capability_change',
  'policy_deny',
  'content_redaction',
  'policy_version',
  'grant',
  'grant_revoked',
  'approval',
  'scope_change',
  'posture_change',
] as const;
export type GovernanceKind = (typeof GOVERNANCE_KINDS)[number];

/** What the agent is allowed, as it changes. */
export interface GovernanceObservation extends ObservationBase {
  stream: 'governance';
  kind: GovernanceKind;
  tool?: string;
  /** The tools the session is provisioned with or narrowed to, or that a grant covers. */
  tools: string[];
  reason?: string;
  approverId?: string;
  /** Who asked for it, where that is not the agent. */
  requesterId?: string;
  approvalId?: string;
  policyVersion?: string;
  posture?: string;
  /** Epoch ms. */
  expiresAt?: number;
}

/** Machine-side numbers, by name (units in the name: `latencyMs`, `costUsd`). */
export interface MetricObservation extends ObservationBase {
  stream: 'metric';
  kind: 'sample' | 'session_summary';
  values: Record<string, number>;
}

export type CallObservation = AttemptObservation | ToolCallObservation;

/** One normalised event, as it lies in the log and in ClickHouse: flat, bounded, without raw content. */
export type Observation =
  | PromptObservation
  | MessageObservation
  | AttemptObservation
  | ToolCallObservation
  | ToolResultObservation
  | GovernanceObservation
  | MetricObservation;

/** Full content of one observation; redacted, kept apart, short-lived, never read by scoring. */
export interface Payload {
  id: string;
  tenant: string;
  agentId: string;
  sessionId: string;
  time: number;
  /** JSON text. */
  content: string;
}

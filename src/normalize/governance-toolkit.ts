import { argumentsOf, isRecord, property, textIn } from './genai/attribute-reader.js';
import { given } from './genai/said.js';
import { refuse } from './refusal.js';
import type { Draft } from './translate.js';
import type { Refused } from './port.js';

/** How the toolkit's words for a verdict or an outcome read here. */
const DECISIONS: Readonly<Record<string, string>> = {
  allow: 'allow',
  allowed: 'allow',
  permit: 'allow',
  success: 'allow',
  warn: 'allow',
  deny: 'deny',
  denied: 'deny',
  block: 'deny',
  blocked: 'deny',
  escalate: 'ask',
  ask: 'ask',
  require_approval: 'ask',
  transform: 'transform',
  timeout: 'timeout',
  error: 'error',
  failure: 'error',
};

/** Changes of what an agent is, or of what it is trusted with. */
const REGISTRATION = new Set(['agent.registered', 'agent.verified', 'agent.suspended', 'trust.handshake']);

interface About {
  /** Key of the event. */
  id: string;
  /** Epoch ms. */
  time: number;
  /** Who sent it: in the mesh the agent itself. */
  source: string;
  traceId?: string;
  sessionId?: string;
}

/**
 * What Microsoft's agent-governance-toolkit records (AUDIT-COMPLIANCE-1.0): the mesh's audit entries, Agent OS records and
 * GovernanceEvents, as the data of CloudEvents of type `ai.agentmesh.*` and `ai.agentos.*`.
 *
 * The mesh's own export (`AuditEntry.to_cloudevent`) names the agent in `source` alone and puts the entry's free data
 * beside its fields; the schema it publishes uses other names (`tool_name`, `policy_verdict`, ...). Both are read.
 *
 * @param type of the event
 * @param about what its envelope says
 */
export function toolkitDrafts(type: string, data: unknown, about: About): (Draft | Refused)[] {
  const kind = type.slice(type.indexOf('.', 'ai.'.length) + 1);
  if (kind.startsWith('audit.')) return [];
  if (!isRecord(data)) return [refuse('data', 'must be a JSON object, as the toolkit writes it')];
  const common = {
    id: about.id,
    time: about.time,
    agentId: textIn(data, 'agent_did', 'agent_id', 'requester_did') ?? about.source,
    ...given('sessionId', textIn(data, 'session_id') ?? about.sessionId),
    ...given('traceId', textIn(data, 'trace_id') ?? about.traceId),
    ...given('spanId', textIn(data, 'span_id')),
  };
  const reason = textIn(data, 'reason', 'violation_reason', 'handshake_result');
  if (kind === 'trust.score.updated') {
    const score = property(data, 'trust_score', 'new_score', 'score');
    if (typeof score !== 'number') return [refuse('data.trust_score', 'must be a number')];
    return [{ ...common, stream: 'metric', kind: 'sample', values: { trustScore: score } }];
  }
  if (REGISTRATION.has(kind)) {
    return [{ ...common, stream: 'governance', kind: 'capability_change', reason: reason ?? kind }];
  }
  const tool = textIn(data, 'tool_name', 'tool', 'action');
  if (kind === 'policy.violation') {
    return [
      { ...common, stream: 'governance', kind: 'policy_deny', ...given('tool', tool), ...given('reason', reason) },
    ];
  }
  if (tool === undefined) return [refuse('data.action', 'is missing: nothing names what was attempted')];
  const raw =
    textIn(data, 'policy_decision', 'policy_verdict', 'decision', 'outcome') ??
    (kind === 'tool.blocked' ? 'blocked' : 'allow');
  const decision = kind === 'tool.blocked' ? 'deny' : decisionOf(raw);
  if (decision === undefined) {
    return [refuse('data.decision', `"${raw}" is no verdict that is known; the toolkit says allow, deny or escalate`)];
  }
  const resource = textIn(data, 'resource');
  const args = argumentsOf(property(data, 'arguments', 'tool_args', 'args', 'params'));
  return [
    {
      ...common,
      stream: 'action',
      kind: 'tool_call',
      tool,
      decision,
      rawDecision: raw,
      ...given('reason', reason),
      ...given('ruleId', textIn(data, 'matched_rule', 'policy_name', 'policy_id')),
      ...given('policyVersion', textIn(data, 'policy_version')),
      ...(args === undefined && resource !== undefined ? { args: { resource } } : given('args', args)),
    },
  ];
}

function decisionOf(raw: string): string | undefined {
  const word = raw.toLowerCase();
  return Object.hasOwn(DECISIONS, word) ? DECISIONS[word] : undefined;
}

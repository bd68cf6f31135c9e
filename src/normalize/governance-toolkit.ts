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

/**
 * What Microsoft's agent-governance-toolkit records (AUDIT-COMPLIANCE-1.0): the mesh's audit entries, Agent OS records and
 * GovernanceEvents, as the data of CloudEvents of type `ai.agentmesh.*` and `ai.agentos.*`.
 *
 * @param type of the event
 * @param about what its envelope says: id, time (epoch ms) and trace
 */
export function toolkitDrafts(
  type: string,
  data: unknown,
  about: { id: string; time: number; traceId?: string; sessionId?: string },
): (Draft | Refused)[] {
  if (!isRecord(data)) return [refuse('data', 'must be a JSON object, as the toolkit writes it')];
  const agentId = textIn(data, 'agent_did', 'agent_id');
  if (agentId === undefined)
    return [refuse('data.agent_did', 'is missing, and data.agent_id too: nothing names the agent')];
  const common = {
    id: about.id,
    time: about.time,
    agentId,
    ...given('sessionId', textIn(data, 'session_id') ?? about.sessionId),
    ...given('traceId', textIn(data, 'trace_id') ?? about.traceId),
    ...given('spanId', textIn(data, 'span_id')),
  };
  const kind = type.slice(type.indexOf('.', 'ai.'.length) + 1);
  const tool = textIn(data, 'action', 'tool', 'tool_name', 'event_type');
  const reason = textIn(data, 'reason');
  if (kind === 'policy.violation') {
    return [
      { ...common, stream: 'governance', kind: 'policy_deny', ...given('tool', tool), ...given('reason', reason) },
    ];
  }
  if (kind === 'trust.score.updated') {
    const score =
      property(data, 'trust_score', 'score', 'new_score') ?? property(data['data'], 'trust_score', 'new_score');
    if (typeof score !== 'number') return [refuse('data.trust_score', 'must be a number')];
    return [{ ...common, stream: 'metric', kind: 'sample', values: { trustScore: score } }];
  }
  if (kind === 'agent.registered' || kind === 'agent.verified' || kind === 'agent.suspended') {
    return [{ ...common, stream: 'governance', kind: 'capability_change', reason: reason ?? kind }];
  }
  if (tool === undefined) return [refuse('data.action', 'is missing: nothing names what was attempted')];
  const raw = textIn(data, 'policy_decision', 'decision', 'outcome') ?? (kind === 'tool.blocked' ? 'blocked' : 'allow');
  const decision = kind === 'tool.blocked' ? 'deny' : DECISIONS[raw.toLowerCase()];
  if (decision === undefined) return [refuse('data.decision', `"${raw}" is no verdict that is known`)];
  const resource = textIn(data, 'resource');
  const args = argumentsOf(
    property(data['data'], 'arguments', 'args', 'params') ?? property(data, 'arguments', 'args'),
  );
  return [
    {
      ...common,
      stream: 'action',
      kind: 'tool_call',
      tool,
      decision,
      rawDecision: raw,
      ...given('reason', reason),
      ...given('ruleId', textIn(data, 'matched_rule', 'policy_name')),
      ...given('policyVersion', textIn(data, 'policy_version')),
      ...(args === undefined && resource !== undefined ? { args: { resource } } : given('args', args)),
    },
  ];
}

/** An event that carries a record of the native wire format. */
export function nativeEvent(data: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: 'event-1',
    source: 'urn:example:gateway',
    type: 'io.parallax.observation',
    time: '2026-11-29T12:00:00Z',
    data: { stream: 'reasoning', kind: 'prompt', agentId: 'travel-agent', sessionId: 's1', text: 'a hotel', ...data },
  };
}

/**
 * What the mesh of the agent-governance-toolkit exports (`AuditEntry.to_cloudevent` of agentmesh/governance/audit.py):
 * the agent is the source, the entry's own data stands beside its fields, and the time has an offset and a Z.
 */
export function meshEvent(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: 'audit_5f2c',
    type: 'ai.agentmesh.tool.invoked',
    source: 'did:mesh:travel-agent',
    time: '2026-11-29T12:00:00.250000+00:00Z',
    datacontenttype: 'application/json',
    data: {
      action: 'send_mail',
      resource: 'mail:ann@example.org',
      outcome: 'success',
      policy_decision: 'allow',
      matched_rule: 'allow-mail',
      arguments: { to: 'ann@example.org' },
    },
    agentmeshentryhash: 'ab12',
    agentmeshprevioushash: '',
    traceid: 'trace-4',
    sessionid: 'session-4',
    ...change,
  };
}

/** The same as the toolkit's published schema (docs/CLOUDEVENTS_SCHEMA.md) has it. */
export function publishedEvent(): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: '550e8400-e29b-41d4-a716-446655440000',
    type: 'ai.agentmesh.policy.violation',
    source: 'did:mesh:agent-abc123',
    time: '2026-02-03T12:00:00.000Z',
    subject: 'tool:shell:execute',
    data: {
      trace_id: 'trace-1',
      agent_id: 'agent-abc123',
      tool_name: 'shell:execute',
      tool_args: { command: 'rm -rf /' },
      policy_name: 'No Destructive Commands',
      violation_reason: 'Command matches destructive pattern',
      action_taken: 'blocked',
    },
  };
}

/** A decision of OPA as its decision log plugin uploads it (EventV1 of v1/plugins/logs), about a tool call. */
export function decision(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    labels: { id: '462a43bc-6f0a-4f4b-8a2b-7f1cbb4d8e51', version: '1.22.4' },
    decision_id: '4ca636c1-55e4-417a-b1d8-4aceb67960d1',
    bundles: { authz: { revision: 'W3sibCI6InN5cy9jYXRhbG9n' } },
    path: 'agents/decision',
    input: { agent: 'travel-agent', session: 's1', tool: 'send_mail', args: { to: 'ann@example.org' } },
    result: { allow: true },
    requested_by: '[::1]:59943',
    timestamp: '2026-11-29T17:00:00.123456789Z',
    metrics: { timer_rego_query_eval_ns: 31_250 },
    ...change,
  };
}

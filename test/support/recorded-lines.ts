import type { RecordedEvent } from '../../src/sources/recorded-event.js';

/** A made-up recorded session: a request, a read, then a write that pays somebody, and a summary. */
export function recordedSession(
  sessionId: string,
  { startMs, iban = 'DE1', prompt = 'pay the bill' }: { startMs: number; iban?: string; prompt?: string },
): RecordedEvent[] {
  const at = (seq: number) => ({
    ts: new Date(startMs + seq * 100).toISOString(),
    agentId: 'agent-bank',
    sessionId,
    seq,
  });
  const call = { source: 'audit' as const, type: 'tool_call' as const, decision: 'allow' as const, error: null };
  return [
    { ...at(0), source: 'governance', type: 'session.start', tools: ['read_bill', 'send_money'] },
    { ...at(1), source: 'reasoning', type: 'prompt', text: prompt },
    {
      ...at(2),
      source: 'reasoning',
      type: 'assistant',
      text: '',
      tokensEst: 3,
      declared: [{ callId: 'c1', tool: 'read_bill' }],
    },
    { ...at(3), ...call, callId: 'c1', tool: 'read_bill', effect: 'read', args: {}, targets: [], resultSizeClass: 1 },
    {
      ...at(4),
      ...call,
      callId: 'c2',
      tool: 'send_money',
      effect: 'write',
      args: { iban },
      targets: [
        { field: 'iban', kind: 'iban', value: iban, origin: 'result', originCall: 'c1', originTool: 'read_bill' },
      ],
      resultSizeClass: 0,
    },
    { ...at(5), source: 'reasoning', type: 'assistant', text: 'done', declared: [] },
    { ...at(6), source: 'metrics', type: 'session.summary', calls: 2, writes: 1 },
  ];
}

/** The sessions' events as the lines of a recording, ordered by time. */
export function recordedLines(sessions: readonly RecordedEvent[][]): string {
  const events = sessions.flat().sort((a, b) => Date.parse(a.ts) - Date.parse(b.ts));
  return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

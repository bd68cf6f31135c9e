import { createHash } from 'node:crypto';
import type { WireObservation } from '../../../src/model/wire.js';

/** One export of one emitter, as JSON of an `ExportTraceServiceRequest`. */
export interface SpanExport {
  speaker: 'agent-runtime' | 'gateway';
  body: string;
}

const attribute = (key: string, value: unknown) => ({
  key,
  value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: String(value) },
});
const hex = (length: number, ...parts: string[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, length);
const nanos = (timeMs: number) => `${timeMs}000000`;
const timeOf = ({ time }: WireObservation) => (typeof time === 'number' ? time : Date.parse(time));

/**
 * A recorded session as an instrumented agent would export it: a trace with a `chat` span for each message of the model,
 * in it the user's words and the calls it declares, and an `execute_tool` span for each call that ran, which carries
 * neither agent nor session: it has them from its trace.
 */
export class RecordedSpans {
  /** The user's words so far, and when the last of them were said. */
  readonly #asked: { text: string; timeMs: number }[] = [];
  #spans = 0;

  /** @returns undefined for what no span of the conventions says: it is reported otherwise, or with the next span */
  exportOf(observation: WireObservation, result: WireObservation | undefined): SpanExport | undefined {
    if (observation.kind === 'prompt') {
      this.#asked.push({ text: observation.text, timeMs: timeOf(observation) });
      return undefined;
    }
    if (observation.kind === 'message') return { speaker: 'agent-runtime', body: this.#chat(observation) };
    if (observation.kind !== 'tool_call' || observation.decision !== 'allow') return undefined;
    return { speaker: 'gateway', body: this.#tool(observation, result) };
  }

  #chat(message: WireObservation & { kind: 'message' }): string {
    const input = this.#asked.map(({ text }) => ({ role: 'user', parts: [{ type: 'text', content: text }] }));
    const calls = (message.declared ?? []).map(({ callId, tool }) => ({ type: 'tool_call', id: callId, name: tool }));
    const parts = [...(message.text ? [{ type: 'text', content: message.text }] : []), ...calls];
    return this.#request(message, 'chat gpt', this.#asked.at(-1)?.timeMs ?? timeOf(message), [
      attribute('gen_ai.operation.name', 'chat'),
      attribute('gen_ai.agent.id', message.agentId),
      attribute('gen_ai.conversation.id', message.sessionId),
      attribute('gen_ai.input.messages', JSON.stringify(input)),
      attribute('gen_ai.output.messages', JSON.stringify([{ role: 'assistant', parts }])),
      ...(message.tokens === undefined ? [] : [attribute('gen_ai.usage.output_tokens', message.tokens)]),
    ]);
  }

  #tool(call: WireObservation & { kind: 'tool_call' }, result: WireObservation | undefined): string {
    const text = result?.kind === 'tool_result' ? result.text : undefined;
    return this.#request(call, `execute_tool ${call.tool}`, timeOf(call), [
      attribute('gen_ai.operation.name', 'execute_tool'),
      attribute('gen_ai.tool.name', call.tool),
      attribute('gen_ai.tool.call.id', call.callId),
      attribute('gen_ai.tool.call.arguments', JSON.stringify(call.args)),
      ...(text === undefined ? [] : [attribute('gen_ai.tool.call.result', text)]),
      ...(call.error === undefined ? [] : [attribute('error.type', call.error)]),
    ]);
  }

  #request(of: WireObservation, name: string, startMs: number, attributes: object[]): string {
    const session = of.sessionId ?? '';
    const span = {
      traceId: hex(32, session),
      spanId: hex(16, session, String(this.#spans++)),
      // The run of the agent: its span ends, and is sent, last.
      parentSpanId: hex(16, session, 'run'),
      name,
      startTimeUnixNano: nanos(startMs),
      endTimeUnixNano: nanos(timeOf(of)),
      attributes,
    };
    return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  }
}

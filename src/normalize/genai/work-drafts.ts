import { stableId } from '../../lib/hash.js';
import type { Draft } from '../translate.js';
import type { ChatMessage } from './messages.js';
import { given, type Said } from './said.js';

/** What a span or log record says, when whose it is has been found out. */
export interface Work {
  said: Said;
  /** Begins the ids of what is made of it: the same for the same record. */
  id: string;
  traceId: string;
  spanId: string;
  /** Epoch ms. */
  startMs: number;
  endMs: number;
  agentId: string;
  sessionId: string;
  parentAgentId?: string;
}

/**
 * What a piece of work means in Parallax's own words.
 *
 * A request to a model gives the user's latest words (the same request in the next span of the turn has the same id), the
 * model's answer with the calls it declares, and a sample of its spend. A tool's span gives a call and its result where
 * the key may write the action stream; where it may not, it is a claim like any other, that the call was declared.
 */
export function draftsOf(work: Work, mayAct: boolean): Draft[] {
  const { said, traceId, spanId } = work;
  const common = {
    agentId: work.agentId,
    sessionId: work.sessionId,
    traceId,
    spanId,
    ...given('parentAgentId', work.parentAgentId),
  };
  const drafts: Draft[] = [];
  const prompt = latestRequest(said.input);
  const startMs = Math.round(work.startMs);
  const endMs = Math.round(work.endMs);
  if (prompt !== undefined && said.operation !== 'tool') {
    const id = stableId('prompt', traceId === '' ? work.sessionId : traceId, prompt);
    drafts.push({ ...common, stream: 'reasoning', kind: 'prompt', id, time: startMs, text: prompt });
  }
  if (said.operation === 'model') drafts.push(...modelDrafts(work, common));
  if (said.operation === 'tool' && said.tool !== undefined) {
    const { name: tool, callId, args, result } = said.tool;
    const call = { ...common, ...(callId === undefined ? {} : { callId }) };
    const id = (kind: string) => `${work.id}/${kind}`;
    const failed = said.error === undefined ? {} : { error: said.error };
    if (!mayAct) {
      const declared = [callId === undefined ? { tool } : { callId, tool }];
      return [{ ...common, stream: 'reasoning', kind: 'message', id: id('declared'), time: startMs, declared }];
    }
    const acted = { ...call, ...failed, stream: 'action', tool };
    drafts.push({
      ...acted,
      kind: 'tool_call',
      id: id('call'),
      time: startMs,
      decision: 'allow',
      ...(args && { args }),
    });
    if (result !== undefined) {
      drafts.push({ ...acted, kind: 'tool_result', id: id('result'), time: endMs, text: result });
    }
  }
  return drafts;
}

function modelDrafts(work: Work, common: Omit<Draft, 'stream'>): Draft[] {
  const { said } = work;
  const id = (kind: string) => `${work.id}/${kind}`;
  const endMs = Math.round(work.endMs);
  const text = said.output.map((message) => message.text).filter((one) => one !== '');
  const calls = said.output.flatMap((message) => message.calls);
  const { model, inputTokens, outputTokens, costUsd } = said;
  const message: Draft = {
    ...common,
    stream: 'reasoning',
    kind: 'message',
    id: id('message'),
    time: endMs,
    text: text.join('\n'),
    declared: calls.map(({ callId, tool }) => (callId === undefined ? { tool } : { callId, tool })),
    ...(model === undefined ? {} : { model }),
    ...(outputTokens === undefined ? {} : { tokens: Math.max(0, Math.round(outputTokens)) }),
  };
  const values = { inputTokens, outputTokens, costUsd, latencyMs: Math.max(0, work.endMs - work.startMs) };
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  const sample: Draft = {
    ...common,
    stream: 'metric',
    kind: 'sample',
    id: id('spend'),
    time: endMs,
    values: Object.fromEntries(known),
  };
  return [message, sample];
}

/** The user's words that this turn is about: the last message of a user, whatever came of it since. */
function latestRequest(input: readonly ChatMessage[]): string | undefined {
  const last = input.findLast(({ role, text }) => role === 'user' && text !== '');
  return last?.text;
}

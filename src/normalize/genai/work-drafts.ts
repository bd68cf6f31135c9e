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
 * the key may write the action stream; where it may not, it is a claim like any other, that the call was declared. A
 * decision that an agent's own gate took beforehand declares the call too, and is the whole call where it was denied.
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
  if (prompt !== undefined && (said.operation === 'agent' || said.operation === 'model')) {
    const id = stableId('prompt', traceId === '' ? work.sessionId : traceId, prompt);
    drafts.push({ ...common, stream: 'reasoning', kind: 'prompt', id, time: startMs, text: prompt });
  }
  if (said.operation === 'model' || said.operation === 'answer') drafts.push(answerDraft(work, common));
  if (said.operation === 'model' || said.operation === 'spend') drafts.push(...spendDrafts(work, common));
  if ((said.operation === 'tool' || said.operation === 'decision') && said.tool !== undefined) {
    const { name: tool, callId, args, result, decision } = said.tool;
    const isDecision = said.operation === 'decision';
    const call = { ...common, ...(callId === undefined ? {} : { callId }) };
    const id = (kind: string) => `${work.id}/${kind}`;
    const failed = said.error === undefined ? {} : { error: said.error };
    if (!mayAct || isDecision) {
      const declared = [callId === undefined ? { tool } : { callId, tool }];
      drafts.push({ ...common, stream: 'reasoning', kind: 'message', id: id('declared'), time: startMs, declared });
    }
    // What was let through is told by the call itself; what was not, by nothing else.
    if (!mayAct || (isDecision && decision?.decision !== 'deny')) return drafts;
    const acted = { ...call, ...failed, stream: 'action', tool };
    drafts.push({
      ...acted,
      kind: 'tool_call',
      id: id('call'),
      time: startMs,
      decision: decision?.decision ?? 'allow',
      ...given('rawDecision', decision?.raw),
      ...(args && { args }),
    });
    if (result !== undefined) {
      drafts.push({ ...acted, kind: 'tool_result', id: id('result'), time: endMs, text: result });
    }
  }
  return drafts;
}

function answerDraft(work: Work, common: Omit<Draft, 'stream'>): Draft {
  const { model, outputTokens, output } = work.said;
  const text = output.map((message) => message.text).filter((one) => one !== '');
  const calls = output.flatMap((message) => message.calls);
  return {
    ...common,
    stream: 'reasoning',
    kind: 'message',
    id: `${work.id}/message`,
    time: Math.round(work.endMs),
    text: text.join('\n'),
    declared: calls.map(({ callId, tool }) => (callId === undefined ? { tool } : { callId, tool })),
    ...(model === undefined ? {} : { model }),
    ...(outputTokens === undefined ? {} : { tokens: Math.max(0, Math.round(outputTokens)) }),
  };
}

function spendDrafts(work: Work, common: Omit<Draft, 'stream'>): Draft[] {
  const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd } = work.said;
  // An event that only says when it happened says nothing about how long.
  const latencyMs = work.endMs > work.startMs ? work.endMs - work.startMs : undefined;
  const values = { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd, latencyMs };
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  if (known.length === 0) return [];
  const id = `${work.id}/spend`;
  const time = Math.round(work.endMs);
  return [{ ...common, stream: 'metric', kind: 'sample', id, time, values: Object.fromEntries(known) }];
}

/** The user's words that this turn is about: the last message of a user, whatever came of it since. */
function latestRequest(input: readonly ChatMessage[]): string | undefined {
  const last = input.findLast(({ role, text }) => role === 'user' && text !== '');
  return last?.text;
}

import { stableId } from '../../lib/hash.js';
import { MAX_LIST, MAX_TEXT_CHARS, type WireObservation } from '../../model/wire.js';
import { ClaudeEntry } from './claude-entry.js';

/** Calls whose result has not come yet; an older one is told as a call of which nothing more is known. */
const MAX_OPEN_CALLS = 256;

/** A call that the model made, until its result says whether it ran. */
interface OpenCall {
  tool: string;
  args: Record<string, unknown>;
  timeMs: number;
  sessionId: string;
  /** Where its line begins in the file, bytes. */
  offset: number;
}

/**
 * One transcript of Claude Code, line by line: a user's words become a prompt, the model's a message with the calls it
 * declares and a sample of its spend, and a call with its result two records of the action stream.
 *
 * A call is told when its result comes, for only that says whether it ran or was rejected. State is one file's open
 * calls and the newest spend; a reader that begins anew at {@link restartOffset} gives the same records under the same ids.
 */
export class ClaudeTranscript {
  readonly #agentId: string;
  readonly #open = new Map<string, OpenCall>();
  #spend = { messageId: '', values: new Map<string, number>() };

  constructor(agentId: string) {
    this.#agentId = agentId;
  }

  /** Where to begin again so that no open call is lost. @param readTo end of the last line read */
  restartOffset(readTo: number): number {
    let first = readTo;
    for (const { offset } of this.#open.values()) first = Math.min(first, offset);
    return first;
  }

  /**
   * @param offset where the line begins in its file, bytes
   * @returns undefined where the line cannot be read; lines about other things give no records
   */
  read(line: string, offset: number): WireObservation[] | undefined {
    const entry = ClaudeEntry.parse(line);
    if (entry === undefined) return undefined;
    if (entry.type === 'assistant') return this.#assistant(entry, offset);
    return entry.type === 'user' ? this.#user(entry) : [];
  }

  #assistant(entry: ClaudeEntry, offset: number): WireObservation[] {
    const found: WireObservation[] = [];
    const calls = entry.calls.slice(0, MAX_LIST);
    const spend = this.#spendOf(entry);
    const tokens = spend['outputTokens'];
    found.push({
      ...this.#base(entry, 'message'),
      stream: 'reasoning',
      kind: 'message',
      text: entry.text.slice(0, MAX_TEXT_CHARS),
      declared: calls.map(({ callId, tool }) => ({ callId, tool })),
      ...(entry.model === '' ? {} : { model: entry.model }),
      ...(tokens === undefined ? {} : { tokens }),
    });
    if (Object.keys(spend).length > 0) {
      found.push({ ...this.#base(entry, 'spend'), stream: 'metric', kind: 'sample', values: spend });
    }
    const { timeMs, sessionId } = entry;
    for (const { callId, tool, args } of calls) {
      this.#open.set(callId, { tool, args, timeMs, sessionId, offset });
      const [oldest] = this.#open;
      if (this.#open.size > MAX_OPEN_CALLS && oldest !== undefined) found.push(this.#unanswered(...oldest));
    }
    return found;
  }

  #user(entry: ClaudeEntry): WireObservation[] {
    const found = entry.results.flatMap((result, i): WireObservation[] => {
      const call = this.#open.get(result.callId);
      if (call === undefined) return [];
      this.#open.delete(result.callId);
      const isRejected = result.isError && entry.isRejection;
      const failed = result.isError && !isRejected ? { error: 'error' } : {};
      const made = this.#called(result.callId, call, isRejected ? 'deny' : 'allow');
      if (isRejected) return [{ ...made, rawDecision: entry.rejection }];
      return [
        { ...made, ...failed },
        {
          ...this.#base(entry, `result/${i}`),
          callId: result.callId,
          stream: 'action',
          kind: 'tool_result',
          tool: call.tool,
          text: result.text.slice(0, MAX_TEXT_CHARS),
          ...failed,
        },
      ];
    });
    if (entry.results.length > 0 || entry.isSidechain) return found;
    // Words of the user end what came before: what has no result by now will have none.
    for (const call of this.#open) found.push(this.#unanswered(...call));
    if (entry.isPrompt) {
      const text = entry.text.slice(0, MAX_TEXT_CHARS);
      found.push({ ...this.#base(entry, 'prompt'), stream: 'reasoning', kind: 'prompt', text });
    }
    return found;
  }

  #unanswered(callId: string, call: OpenCall): WireObservation {
    this.#open.delete(callId);
    return { ...this.#called(callId, call, 'ask'), rawDecision: 'no result' };
  }

  #called(callId: string, { tool, args, timeMs, sessionId }: OpenCall, decision: 'allow' | 'deny' | 'ask') {
    return {
      id: stableId('transcript', sessionId, callId, 'call'),
      time: timeMs,
      agentId: this.#agentId,
      sessionId,
      callId,
      stream: 'action' as const,
      kind: 'tool_call' as const,
      tool,
      args,
      decision,
    };
  }

  /**
   * What an entry adds to the spend of its response. A response stands in as many entries as it has parts, and each
   * repeats its usage as far as it was known then.
   */
  #spendOf({ messageId, usage }: ClaudeEntry): Record<string, number> {
    if (messageId !== this.#spend.messageId) this.#spend = { messageId, values: new Map() };
    const { values } = this.#spend;
    const added: Record<string, number> = {};
    for (const [name, value] of usage) {
      const more = value - (values.get(name) ?? 0);
      if (more <= 0) continue;
      values.set(name, value);
      added[name] = more;
    }
    return added;
  }

  #base({ uuid, sessionId, timeMs }: ClaudeEntry, part: string) {
    return { id: stableId('transcript', sessionId, uuid, part), time: timeMs, agentId: this.#agentId, sessionId };
  }
}

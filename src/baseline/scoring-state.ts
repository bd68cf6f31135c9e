import { HashSet } from '../lib/hash-set.js';
import type { Effect } from '../model/observation.js';
import type { CallFact, Fact, PromptFact } from './facts.js';
import { isWrite, mix } from './keys.js';

/** Distinct hashes kept of a session's requests and arguments. */
export const MAX_INTENT = 192;
export const MAX_MENTIONED = 1_536;
export const MAX_ARG_WORDS = 768;
export const MAX_TOOLS = 64;
/** Latest calls kept; an older one no longer counts as a source. */
const MAX_CALLS = 64;

export interface PastCall {
  callId: number;
  tool: number;
  effect: Effect;
  /** Place among the session's calls, from 0. */
  index: number;
  /** Its result carried content that the agent could read. */
  read: boolean;
  /** Id and emitter of the observation; empty when a finished session is scored again. */
  observationId: string;
  principalId: string;
}

/** Hashes that follow from the session's facts. */
interface PlainHashes {
  intent: Uint32Array;
  mentioned: Uint32Array;
  seenArgWords: Uint32Array;
  usedTools: Uint32Array;
}

export interface PlainScoringState {
  /** Absent where the facts that are kept hold them all. */
  hashes?: PlainHashes;
  writes: number;
  requestKey: number;
  requestVersion: number;
  lastTool: number;
  callCount: number;
  calls: PastCall[];
}

/** The part of a running session that scoring reads. Bounded; built fact by fact, by live and repeated scoring alike. */
export class ScoringState {
  readonly intent = new HashSet();
  readonly mentioned = new HashSet();
  readonly seenArgWords = new HashSet();
  readonly usedTools = new HashSet();
  readonly calls: PastCall[] = [];
  /** Calls that change something. */
  writes = 0;
  /** Hash of the first request: the group for independent counting. */
  requestKey = 0;
  /** Rises with every user turn; expectations hold for one value of it. */
  requestVersion = 0;
  lastTool = 0;
  callCount = 0;

  apply(fact: Fact, observationId = '', principalId = ''): void {
    switch (fact.type) {
      case 'prompt':
        this.#applyPrompt(fact);
        break;
      case 'call':
        this.#applyCall(fact, observationId, principalId);
        break;
      case 'read': {
        const call = this.calls.find(({ index }) => index === fact.call);
        if (call !== undefined) call.read = fact.read;
        break;
      }
    }
  }

  lastCall(): PastCall | undefined {
    return this.calls.at(-1);
  }

  /** The latest call with this id. */
  findCall(callId: number): PastCall | undefined {
    return callId === 0 ? undefined : this.calls.findLast((call) => call.callId === callId);
  }

  #applyPrompt(prompt: PromptFact): void {
    if (this.requestVersion === 0) this.requestKey = requestKeyOf(prompt.words);
    this.requestVersion++;
    this.#hold(prompt);
  }

  #hold(fact: Fact): void {
    if (fact.type === 'prompt') {
      this.intent.addAll(fact.words, MAX_INTENT);
      this.mentioned.addAll(fact.values, MAX_MENTIONED);
    } else if (fact.type === 'call') {
      if (this.usedTools.size < MAX_TOOLS) this.usedTools.add(fact.tool);
      this.seenArgWords.addAll(fact.argWords, MAX_ARG_WORDS);
    }
  }

  #applyCall(call: CallFact, observationId: string, principalId: string): void {
    const { callId, tool, effect } = call;
    this.calls.push({ callId, tool, effect, index: this.callCount++, read: false, observationId, principalId });
    if (this.calls.length > MAX_CALLS) this.calls.shift();
    if (isWrite(effect)) this.writes++;
    this.lastTool = tool;
    this.#hold(call);
  }

  /** @param isTold the session's facts are kept in full: what follows from them is left out */
  toPlain(isTold: boolean): PlainScoringState {
    const { writes, requestKey, requestVersion, lastTool, callCount, calls } = this;
    const plain: PlainScoringState = { writes, requestKey, requestVersion, lastTool, callCount, calls };
    if (isTold) return plain;
    plain.hashes = {
      intent: this.intent.values().slice(),
      mentioned: this.mentioned.values().slice(),
      seenArgWords: this.seenArgWords.values().slice(),
      usedTools: this.usedTools.values().slice(),
    };
    return plain;
  }

  /** @param facts the facts that were kept */
  static fromPlain(plain: PlainScoringState, facts: readonly Fact[]): ScoringState {
    const state = new ScoringState();
    if (plain.hashes === undefined) {
      for (const fact of facts) state.#hold(fact);
    } else {
      state.intent.addAll(plain.hashes.intent, MAX_INTENT);
      state.mentioned.addAll(plain.hashes.mentioned, MAX_MENTIONED);
      state.seenArgWords.addAll(plain.hashes.seenArgWords, MAX_ARG_WORDS);
      state.usedTools.addAll(plain.hashes.usedTools, MAX_TOOLS);
    }
    state.calls.push(...plain.calls);
    state.writes = plain.writes;
    state.requestKey = plain.requestKey;
    state.requestVersion = plain.requestVersion;
    state.lastTool = plain.lastTool;
    state.callCount = plain.callCount;
    return state;
  }
}

/** One key for a request's words, whatever their order. */
export function requestKeyOf(words: Iterable<number>): number {
  const sorted = Uint32Array.from(words).sort();
  let key = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) key = mix(key, sorted[i] ?? 0);
  return key;
}

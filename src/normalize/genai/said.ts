import type { Decision } from '../../model/observation.js';
import type { ChatMessage } from './messages.js';

/** Who a span or a log record speaks of, as far as it says so itself. */
export interface Who {
  agentId?: string;
  sessionId?: string;
}

/** What one span or log record says about an agent's work, whatever convention it was written in. */
export type Said = Who & {
  /**
   * `agent`: a whole run; `model`: one request to a model; `tool`: one call of a tool. Emitters that say these in parts:
   * `spend` is what a request cost, `answer` what the model said, `decision` what was decided about a call beforehand.
   */
  operation: 'agent' | 'model' | 'tool' | 'spend' | 'answer' | 'decision';
  model?: string;
  inputTokens?: number;
  outputTokens?: number;
  cacheReadTokens?: number;
  cacheCreationTokens?: number;
  costUsd?: number;
  /** Of a record that tells only when it ended. */
  durationMs?: number;
  /** What the model was given, oldest first; histories are repeated with every request. */
  input: ChatMessage[];
  output: ChatMessage[];
  tool?: {
    name: string;
    callId?: string;
    args?: Record<string, unknown>;
    result?: string;
    /** Of the emitter's own gate, and its words for it. */
    decision?: Ruling;
  };
  /** Class of the error, where it failed. */
  error?: string;
};

/** A gate's decision about a call. */
export interface Ruling {
  decision: Decision;
  raw: string;
}

/** A number as an optional field: what is absent stays absent. */
export function given<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  // A computed name widens to an index signature; the type above says what it is.
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: V };
}

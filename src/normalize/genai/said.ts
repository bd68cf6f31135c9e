import type { ChatMessage } from './messages.js';

/** Who a span or a log record speaks of, as far as it says so itself. */
export interface Who {
  agentId?: string;
  sessionId?: string;
}

/** What one span or log record says about an agent's work, whatever convention it was written in. */
export type Said = Who & {
  /** `agent`: a whole run; `model`: one request to a model; `tool`: one call of a tool. */
  operation: 'agent' | 'model' | 'tool';
  model?: string;
  inputTokens?: number;
  outputTokens?: number;
  costUsd?: number;
  /** What the model was given, oldest first; histories are repeated with every request. */
  input: ChatMessage[];
  output: ChatMessage[];
  tool?: {
    name: string;
    callId?: string;
    args?: Record<string, unknown>;
    result?: string;
  };
  /** Class of the error, where it failed. */
  error?: string;
};

/** A number as an optional field: what is absent stays absent. */
export function given<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  // A computed name widens to an index signature; the type above says what it is.
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: V };
}

/** One call that an agent will make, and what the tool behind the gateway gives back. */
export interface PlannedCall {
  tool: string;
  args: Record<string, unknown>;
  /** Text of the result. */
  result?: string;
  /** Error class where the tool fails. */
  error?: string;
  /** How long the tool takes, ms; about a second when left out. */
  tookMs?: number;
  /** Money the tool itself costs, USD. */
  costUsd?: number;
}

/** A step of a session: somebody asks, or the model speaks, announces calls and makes them. */
export type PlannedTurn =
  | { ask: string }
  | {
      /** Undefined: the trace of the model does not arrive; the calls are made all the same. */
      say?: string;
      calls: PlannedCall[];
      /** Time the model takes, ms; a few seconds when left out. */
      thinkMs?: number;
      /** Tokens the model used in this step; from the length of the texts when left out. */
      tokens?: number;
    };

/** What one session will be, before it has times, ids and an agent. */
export interface SessionPlan {
  turns: PlannedTurn[];
}

/** Shorthand for the grammars: one step with one call. */
export function step(say: string, call: PlannedCall): PlannedTurn {
  return { say, calls: [call] };
}

/** Shorthand for the last words of a session. */
export function closing(say: string): PlannedTurn {
  return { say, calls: [] };
}

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { EFFECTS, type Effect } from '../../model/observation.js';

/** What a simulated tool gives back. */
export interface ToolOutcome {
  /** Error class where the call failed. */
  error?: string;
  /** 0 empty, 1 below 4 KiB, 2 more. */
  resultClass: number;
  text?: string;
}

/** One call, as far as its tool needs to know. */
export interface ToolRequest {
  sessionId: string;
  callId: string;
  tool: string;
}

/** The gateway's own policy refuses a call, whatever the observer thinks. */
export interface PolicyRefusal {
  reason: string;
  error?: string;
}

/** The tools behind the gateway, and its own policy for them. */
export interface ToolTable {
  /** What the tool does to the world; undefined when the gateway does not know it. */
  effect(tool: string): Effect | undefined;
  policy(request: ToolRequest): PolicyRefusal | undefined;
  execute(request: ToolRequest): Promise<ToolOutcome>;
}

/** One line of an outcomes file: what a recorded call came to. */
export const recordedOutcomeSchema = z.strictObject({
  sessionId: z.string(),
  callId: z.string(),
  tool: z.string(),
  effect: z.enum(EFFECTS),
  /** The recorded gateway's own policy refused the call. */
  refused: z.string().exactOptional(),
  error: z.string().exactOptional(),
  resultClass: z.number().int().min(0).max(2),
  text: z.string().exactOptional(),
});
export type RecordedOutcome = z.infer<typeof recordedOutcomeSchema>;

const MAX_OUTCOMES = 1_000_000;

/** Tools that answer what was recorded for the same session and call. A call that was not recorded fails. */
export function recordedTools(outcomes: Iterable<RecordedOutcome>): ToolTable {
  const byCall = new Map<string, RecordedOutcome>();
  const effects = new Map<string, Effect>();
  for (const outcome of outcomes) {
    byCall.set(keyOf(outcome), outcome);
    effects.set(outcome.tool, outcome.effect);
  }
  return {
    effect: (tool) => effects.get(tool),
    policy: (request) => {
      const recorded = byCall.get(keyOf(request));
      if (recorded?.refused === undefined) return undefined;
      return { reason: recorded.refused, ...(recorded.error === undefined ? {} : { error: recorded.error }) };
    },
    execute: async (request) => {
      const recorded = byCall.get(keyOf(request));
      if (recorded === undefined) return { error: 'NotRecorded', resultClass: 0 };
      const outcome: ToolOutcome = { resultClass: recorded.resultClass };
      if (recorded.error !== undefined) outcome.error = recorded.error;
      if (recorded.text !== undefined) outcome.text = recorded.text;
      return outcome;
    },
  };
}

/** Reads an outcomes file (NDJSON). @throws Error naming file and line */
export async function readOutcomes(file: string): Promise<RecordedOutcome[]> {
  const outcomes: RecordedOutcome[] = [];
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    if (text === '') continue;
    if (outcomes.length >= MAX_OUTCOMES) throw new Error(`${file}:${line}: more than ${MAX_OUTCOMES} outcomes`);
    outcomes.push(parseOutcome(text, `${file}:${line}`));
  }
  return outcomes;
}

function parseOutcome(text: string, place: string): RecordedOutcome {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${place}: not JSON`);
  }
  const parsed = recordedOutcomeSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Error(`${place}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'cannot be read'}`);
}

function keyOf({ sessionId, callId }: { sessionId: string; callId: string }): string {
  return JSON.stringify([sessionId, callId]);
}

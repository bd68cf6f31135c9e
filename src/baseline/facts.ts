import type { Effect, Origin } from '../model/observation.js';

/**
 * What scoring reads of a session: hashes instead of text, resolved origins, nothing of what came of a call but
 * whether its result was read. A finished session is a list of these, which can be scored again.
 */
export type Fact = PromptFact | CallFact | ReadFact;

/** The user asks. */
export interface PromptFact {
  type: 'prompt';
  words: Uint32Array;
  values: Uint32Array;
}

/** A call is attempted. */
export interface CallFact {
  type: 'call';
  /** 0 where the call has no id. */
  callId: number;
  tool: number;
  /** Hashed stems of the tool's name. */
  toolWords: readonly number[];
  toolName: string;
  effect: Effect;
  targets: readonly TargetFact[];
  argWords: Uint32Array;
}

export interface TargetFact {
  field: number;
  fieldName: string;
  kind: number;
  kindName: string;
  value: number;
  words: readonly number[];
  origin: Origin;
  /** Tool whose result held the value, 0 where not known. */
  source: number;
  /** Id of the call whose result held the value, 0 where not known. */
  sourceCall: number;
}

/** The agent could read the result of its call (or, once withheld, could not). */
export interface ReadFact {
  type: 'read';
  /** The call's place among the session's calls, from 0. */
  call: number;
  read: boolean;
}

/** Hashes that are only read. */
export type Hashes = readonly number[] | Uint32Array;

/** What a finished session leaves for a baseline to count. */
export interface SessionRecord {
  /** Distinct words of all its requests. */
  intent: Hashes;
  tools: readonly UsedTool[];
  /** Steps from one tool to the next; the first comes from 0. */
  transitions: readonly (readonly [from: number, to: number])[];
  targets: readonly TargetRecord[];
  argWords: Hashes;
  /** Distinct (tool, argument word that the user did not mention) pairs. */
  wordKeys: Hashes;
  /** Names behind hashes, for people. */
  names: readonly (readonly [hash: number, name: string])[];
}

export interface UsedTool {
  tool: number;
  write: boolean;
  words: readonly number[];
}

export interface TargetRecord {
  tool: number;
  effect: Effect;
  field: number;
  kind: number;
  value: number;
  origin: Origin;
  source: number;
}

import type { Effect, Target, Tier } from '../model/observation.js';
import { argsContent, type Discretion } from './content.js';
import { argumentWords, deriveTargets, makeTarget, MAX_TARGETS, type GivenTarget } from './derive-targets.js';
import { visibleText } from './fold-text.js';
import { effectOfTool } from './tool-effect.js';

/** A call as its emitter describes it. */
export interface GivenCall {
  tool: string;
  operation?: string;
  effect?: Effect;
  tier?: Tier;
  args?: Record<string, unknown>;
  targets?: readonly GivenTarget[];
}

/** What scoring needs of a call; and what is kept of its arguments, as the JSON text of a content record. */
export interface DerivedCall {
  fields: {
    tool: string;
    operation?: string;
    effect: Effect;
    tier?: Tier;
    targets: Target[];
    argWords: number[];
    argBytes: number;
  };
  content: string | undefined;
}

/** Derives a call's targets, words and size from its arguments before they are hidden. */
export function deriveCall(call: GivenCall, discretion: Discretion): DerivedCall {
  const { seed } = discretion;
  const args = call.args ?? {};
  const hasArgs = Object.keys(args).length > 0;
  const raw = hasArgs ? JSON.stringify(args) : '';
  const targets =
    call.targets === undefined
      ? deriveTargets(args, seed, discretion.level)
      : call.targets.slice(0, MAX_TARGETS).map((target) => makeTarget(target, seed, discretion.level));
  const fields: DerivedCall['fields'] = {
    tool: visibleText(call.tool),
    effect: call.effect ?? effectOfTool(call.tool),
    targets,
    argWords: hasArgs ? argumentWords(args, seed) : [],
    argBytes: Buffer.byteLength(raw),
  };
  if (call.operation !== undefined) fields.operation = visibleText(call.operation);
  if (call.tier !== undefined) fields.tier = call.tier;
  return { fields, content: hasArgs ? argsContent(args, raw, discretion) : undefined };
}

/** `args` of a record that has passed the schema. */
export function rawArguments(record: object): Record<string, unknown> {
  const args: unknown = Reflect.get(record, 'args');
  return isRecord(args) ? args : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import type { Effect, Origin } from '../model/observation.js';

/** Combines two hashes, in this order, into one 32-bit key. Finished with MurmurHash3's mixer (Appleby, public domain). */
export function mix(a: number, b: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ b;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Class of an origin: asked for by the user, taken from what was read, or from nowhere. */
export type OriginClass = 'asked' | 'read' | 'nowhere';

/** What is not known counts as read: it did not come from the user. */
export function originClass(origin: Origin): OriginClass {
  if (origin === 'prompt' || origin === 'both') return 'asked';
  return origin === 'none' ? 'nowhere' : 'read';
}

const CLASS_KEY: Readonly<Record<OriginClass, number>> = { asked: 11, read: 13, nowhere: 17 };
const TOOL_KEY = 19;
const WORD_KEY = 23;
const READS = 29;
const CHANGES = 31;

export function isWrite(effect: Effect): boolean {
  return effect !== 'read';
}

/** Where a value goes, from the particular (tool, field) to the general (reads or changes, kind). */
export function placesOf(call: { tool: number; effect: Effect }, target: { field: number; kind: number }): Places {
  return { own: mix(call.tool, target.field), general: mix(isWrite(call.effect) ? CHANGES : READS, target.kind) };
}

export interface Places {
  own: number;
  general: number;
}

export function withClass(place: number, cls: OriginClass): number {
  return mix(place, CLASS_KEY[cls]);
}

/** Key of a tool among the counts of one request. */
export function toolKey(tool: number): number {
  return mix(tool, TOOL_KEY);
}

/** Key of a word given to a tool; kept apart from (tool, field), whose hashes can be the same. */
export function wordKey(tool: number, word: number): number {
  return mix(mix(tool, word), WORD_KEY);
}

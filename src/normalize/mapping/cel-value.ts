import type { Outcome } from './expression.js';

/** Deepest nesting of a record, as everywhere in intake. */
const MAX_DEPTH = 64;

/**
 * A record as the CEL library can read it. It knows a value's type by its constructor, so an agent that calls an argument
 * `constructor` would make everything around it unreadable; objects with such a key become maps.
 *
 * @returns undefined where it is nested too deep
 */
export function toCel(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value)) {
    const elements = value.map((element) => toCel(element, depth + 1));
    if (elements.some((element, i) => element === undefined && value[i] !== undefined)) return undefined;
    return elements.every((element, i) => element === value[i]) ? value : elements;
  }
  const entries = Object.entries(value);
  let isChanged = false;
  for (const entry of entries) {
    const inner = toCel(entry[1], depth + 1);
    if (inner === entry[1]) continue;
    if (inner === undefined) return undefined;
    entry[1] = inner;
    isChanged = true;
  }
  if (Object.hasOwn(value, 'constructor')) return new Map(entries);
  return isChanged ? Object.fromEntries(entries) : value;
}

/** What an expression gave, as JSON has it. Null is nothing: emitters write it where they have no value. */
export function fromCel(value: unknown): Outcome {
  if (value === null || value === undefined) return { is: 'missing', what: 'it is null' };
  try {
    return { is: 'value', value: plain(value, 0) };
  } catch (error) {
    return { is: 'error', what: error instanceof RangeError ? error.message : 'it cannot be read' };
  }
}

/** @throws RangeError for what is no JSON */
function plain(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError('it is nested too deep');
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return value.map((element) => plain(element, depth + 1));
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, inner]) => [String(key), plain(inner, depth + 1)]));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new RangeError('it gives a type or a duration; give text, a number, a flag, a list or a map');
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner, depth + 1)]));
}

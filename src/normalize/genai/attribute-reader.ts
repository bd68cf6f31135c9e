import type { Attributes, OtlpValue } from '../otlp/model.js';

/** Longest JSON text that is parsed out of an attribute, characters. */
const MAX_JSON_CHARS = 1024 * 1024;
/** Deepest nesting taken from such a text. */
const MAX_JSON_DEPTH = 24;

/** The first of these attributes that is a text with something in it. */
export function textOf(attributes: Attributes, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = attributes.get(name);
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

/** The first of these attributes that is a finite number, or text that is one: some emitters write all as text. */
export function numberOf(attributes: Attributes, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = attributes.get(name);
    const number = typeof value === 'string' && NUMBER.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return number;
  }
  return undefined;
}

const NUMBER = /^-?[0-9]{1,20}(\.[0-9]{1,20})?$/;

/** An attribute that holds structure, either as such or (older emitters, and spans) as JSON text. */
export function structureOf(attributes: Attributes, ...names: readonly string[]): unknown {
  for (const name of names) {
    const value = attributes.get(name);
    if (value === undefined || value === null) continue;
    return typeof value === 'string' ? (parsed(value) ?? value) : value;
  }
  return undefined;
}

/** JSON text as a value; undefined where it is none, too long or nested too deep. */
export function parsed(text: string): unknown {
  const first = text.trimStart()[0];
  if ((first !== '{' && first !== '[') || text.length > MAX_JSON_CHARS || isTooDeep(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether brackets nest too deep; those within texts count too, which only makes it stricter. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_JSON_DEPTH) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

/** Arguments of a call: an object as it is, JSON text parsed, anything else under one name. */
export function argumentsOf(value: unknown): Record<string, unknown> | undefined {
  const structure = typeof value === 'string' ? (parsed(value) ?? value) : value;
  if (structure === undefined || structure === null || structure === '') return undefined;
  if (isRecord(structure)) return structure;
  return { input: structure };
}

/** A value as text: a text as it is, structure as JSON. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function property(value: unknown, ...names: readonly string[]): unknown {
  if (!isRecord(value)) return undefined;
  for (const name of names) {
    const found = Object.hasOwn(value, name) ? value[name] : undefined;
    if (found !== undefined && found !== null) return found;
  }
  return undefined;
}

export function textIn(value: unknown, ...names: readonly string[]): string | undefined {
  const found = property(value, ...names);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** Attributes flattened with numbers in their names (`llm.input_messages.0.message.role`), as lists of mappings. */
export function unflatten(attributes: Attributes, prefix: string): unknown {
  const root: Tree = new Map();
  for (const [name, value] of attributes) {
    if (!name.startsWith(`${prefix}.`)) continue;
    let level = root;
    const steps = name.slice(prefix.length + 1).split('.');
    if (steps.length > MAX_JSON_DEPTH) continue;
    for (const step of steps.slice(0, -1)) {
      const next = level.get(step);
      const inner: Tree = next instanceof Map ? next : new Map();
      if (inner !== next) level.set(step, inner);
      level = inner;
    }
    level.set(steps.at(-1) ?? '', value);
  }
  return root.size === 0 ? undefined : plain(root);
}

type Tree = Map<string, Tree | OtlpValue>;

function plain(value: Tree | OtlpValue): unknown {
  if (!(value instanceof Map)) return value;
  const entries = [...value].map(([key, inner]): [string, unknown] => [key, plain(inner)]);
  const isList = entries.every(([key]) => /^[0-9]{1,4}$/.test(key));
  if (!isList) return Object.fromEntries(entries);
  return entries.sort(([a], [b]) => Number(a) - Number(b)).map(([, inner]) => inner);
}

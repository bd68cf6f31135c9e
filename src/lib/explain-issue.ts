import type { z } from 'zod';

/** Path of the offending field, `targets.0.kind`; a field that should not be there is named too. */
export function issuePath(issue: z.core.$ZodIssue): string {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  return [...issue.path, ...unknown].map(String).join('.');
}

/**
 * A schema's complaint about one field in plain words: what is wrong and what to do.
 *
 * @param whole the value that was checked
 * @param forms what fields of these names must be, where a schema cannot say it plainly
 */
export function explainIssue(
  issue: z.core.$ZodIssue,
  whole: unknown,
  forms: Readonly<Record<string, string>> = {},
): string {
  const value = valueAt(whole, issue.path);
  const form = forms[String(issue.path.at(-1))];
  if (form !== undefined) {
    return value === undefined ? `is missing; it must be ${form}` : `must be ${form}; got ${describeType(value)}`;
  }
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = WANTED[issue.expected] ?? `a ${issue.expected}`;
      return value === undefined ? `is missing; give ${wanted}` : `must be ${wanted}; got ${describeType(value)}`;
    }
    case 'invalid_value':
      return `${value === undefined ? 'is missing; it must' : 'must'} be one of ${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return 'is no field of this kind of record; remove it, or look up its right name in the schema';
    case 'too_big':
      if (issue.origin === 'string') return `is too long; send at most ${issue.maximum} characters`;
      if (issue.origin === 'array') return `has too many entries; send at most ${issue.maximum}`;
      return `is too large; the most is ${issue.maximum}`;
    case 'too_small':
      if (issue.origin === 'string') return `is too short; send at least ${issue.minimum} character, or leave it out`;
      return `is too small; the least is ${issue.minimum}, got ${describeType(value)}`;
    case 'invalid_key':
      return 'is no usable name; use 1 to 256 characters';
    case 'custom':
      return issue.message;
    case 'invalid_element':
    case 'invalid_format':
    case 'invalid_union':
    case 'not_multiple_of':
    default:
      return `has none of the allowed forms (${describeType(value)} was sent); look it up in the schema`;
  }
}

/** What a value is, as a person would say it. */
export function describeType(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return value === '' ? 'empty text' : 'text';
  if (typeof value === 'boolean') return String(value);
  // NaN and Infinity among them.
  return typeof value === 'number' ? `the number ${value}` : `a ${typeof value}`;
}

const WANTED: Record<string, string> = {
  string: 'text',
  number: 'a finite number',
  int: 'a whole number',
  array: 'an array',
  object: 'an object',
  record: 'an object',
  boolean: 'true or false',
};

function valueAt(whole: unknown, path: readonly PropertyKey[]): unknown {
  let value = whole;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

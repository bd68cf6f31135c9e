import type { Attributes, OtlpValue } from './model.js';

/** Deepest nesting of a value; below it a value is null. */
const MAX_DEPTH = 16;
const MAX_ATTRIBUTES = 512;
const NANOS_PER_MS = 1_000_000;
/** Times are given in whole microseconds: more than the program looks at, and exact in a double. */
const NANOS_PER_US = 1_000n;

/**
 * Readers for OTLP messages in either encoding: the JSON mapping as parsed, and what protobufjs decodes. Both name the
 * fields alike; 64-bit numbers come as text, number or `Long`, ids as hex text or bytes. Only own properties count: a
 * decoded message inherits a default for each field that is absent.
 */
export function field(message: unknown, name: string): unknown {
  if (typeof message !== 'object' || message === null || !Object.hasOwn(message, name)) return undefined;
  return Reflect.get(message, name);
}

export function list(message: unknown, name: string): readonly unknown[] {
  const value = field(message, name);
  return Array.isArray(value) ? value : [];
}

export function text(message: unknown, name: string): string {
  const value = field(message, name);
  return typeof value === 'string' ? value : '';
}

/** A number of any of the encodings; `NaN` for what is none. */
export function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return value.trim() === '' || value.length > 400 ? Number.NaN : Number(value);
  if (isLong(value)) return value.toNumber();
  return Number.NaN;
}

export function number(message: unknown, name: string, absent = 0): number {
  const value = field(message, name);
  return value === undefined || value === null ? absent : toNumber(value);
}

/** Epoch ms of a time in nanoseconds, to the microsecond; 0 where it is absent, `NaN` where it is none. */
export function timeMs(message: unknown, name: string): number {
  const value = field(message, name);
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number') return value / NANOS_PER_MS;
  const digits = typeof value === 'string' ? value.trim() : isLong(value) ? value.toString() : '';
  if (!/^[0-9]{1,20}$/.test(digits)) return Number.NaN;
  return Number(BigInt(digits) / NANOS_PER_US) / 1_000;
}

/** Lower-case hex of an id of so many bytes; empty where it is absent, all zero or of another length. */
export function hexId(message: unknown, name: string, bytes: number): string {
  const value = field(message, name);
  const hex = value instanceof Uint8Array ? Buffer.from(value).toString('hex') : typeof value === 'string' ? value : '';
  if (hex.length !== bytes * 2 || !/^[0-9a-fA-F]+$/.test(hex) || /^0+$/.test(hex)) return '';
  return hex.toLowerCase();
}

export function attributes(message: unknown, name = 'attributes'): Attributes {
  const found = new Map<string, OtlpValue>();
  for (const entry of list(message, name)) {
    if (found.size >= MAX_ATTRIBUTES) break;
    const key = text(entry, 'key');
    if (key !== '') found.set(key, anyValue(field(entry, 'value')));
  }
  return found;
}

/** An `AnyValue` as plain data. */
export function anyValue(value: unknown, depth = 0): OtlpValue {
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return null;
  for (const name of SCALARS) {
    const scalar = field(value, name);
    if (typeof scalar === 'string' || typeof scalar === 'boolean') return scalar;
  }
  for (const name of NUMBERS) {
    const found = field(value, name);
    if (found !== undefined && found !== null) return finite(toNumber(found));
  }
  const bytes = field(value, 'bytesValue');
  if (bytes instanceof Uint8Array) return Buffer.from(bytes).toString('base64');
  if (typeof bytes === 'string') return bytes;
  const array = field(value, 'arrayValue');
  if (array !== undefined && array !== null) return list(array, 'values').map((one) => anyValue(one, depth + 1));
  const pairs = field(value, 'kvlistValue');
  if (pairs === undefined || pairs === null) return null;
  const entries = list(pairs, 'values').map((entry): [string, OtlpValue] => [
    text(entry, 'key'),
    anyValue(field(entry, 'value'), depth + 1),
  ]);
  return Object.fromEntries(entries);
}

const SCALARS = ['stringValue', 'boolValue'];
const NUMBERS = ['intValue', 'doubleValue'];

/** `NaN` and the infinities have no place in JSON, which values are compared and kept as. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function isLong(value: unknown): value is { toNumber: () => number; toString: () => string } {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'toNumber') === 'function';
}

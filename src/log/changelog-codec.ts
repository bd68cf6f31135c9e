import { ChangelogDamagedError } from './changelog-errors.js';
import type { ChangelogEntry, ChangelogRecord } from './port.js';
import { isCursorName, isStateKey } from './scoring-keys.js';
import type { Place } from './scoring-place.js';

/**
 * What the changelog of a scoring store consists of. Its topic is compacted by key, so a key's last value is all that is
 * sure to be there.
 *
 * - `t`: an owner begins. JSON {owner, generation}.
 * - `p`: how far scoring is, and which checkpoint was the last to be finished. JSON {@link PlaceRecord}.
 * - `s/KEY`: state. u8 1, u48 number of its checkpoint, bytes; or u8 2, u48 number for a delete, which is followed by a
 *   tombstone once the checkpoint counts. A put counts when a `p` says that its checkpoint, or a later one, is finished.
 * - `o/SEQUENCE`: an effect, JSON. Counts when a `p` has an `outboxHead` that reaches it.
 * - `m/KEY`: what a reader of the outbox remembers, and `c/NAME`: its cursor, decimal. They count at once.
 */
export type ChangelogKey =
  | { kind: 'owner' }
  | { kind: 'place' }
  | { kind: 'state'; key: string }
  | { kind: 'memory'; key: string }
  | { kind: 'cursor'; name: string }
  | { kind: 'outbox'; sequence: number };

/** How far scoring is. */
export type PlaceRecord = Place &
  Record<
    /** Number of the last finished checkpoint. */
    | 'completed'
    /** State keys there are after it, those of readers aside. */
    | 'keys'
    /** The outbox was dropped up to this sequence. */
    | 'trimmed',
    number
  >;

export interface OwnerRecord {
  /** Differs from one process to the next. */
  owner: string;
}

export interface StateFrame {
  number: number;
  /** Undefined for a delete. */
  value: Buffer | undefined;
}

const PUT = 1;
const DELETE = 2;
const FRAME_BYTES = 7;
const PLACE_FIELDS = [
  'nextPosition',
  'effectsPosition',
  'outboxHead',
  'checkpointOutboxHead',
  'completed',
  'keys',
  'trimmed',
] as const;

export const OWNER_KEY = 't';
export const PLACE_KEY = 'p';
export const stateKey = (key: string): string => `s/${key}`;
export const memoryKey = (key: string): string => `m/${key}`;
export const outboxKey = (sequence: number): string => `o/${sequence}`;

/** @throws ChangelogDamagedError for a key that no version up to this one writes */
export function parseKey({ key, offset }: Pick<ChangelogRecord, 'key' | 'offset'>): ChangelogKey {
  const parsed = parsedKey(key);
  if (parsed !== undefined) return parsed;
  throw new ChangelogDamagedError(offset, `an unknown key ${JSON.stringify(key.slice(0, 60))}`);
}

/** What a key stands for; undefined for one that no version up to this one writes. */
export function parsedKey(key: string): ChangelogKey | undefined {
  if (key === OWNER_KEY) return { kind: 'owner' };
  if (key === PLACE_KEY) return { kind: 'place' };
  const rest = key.slice(2);
  if (key.startsWith('s/') && isStateKey(rest)) return { kind: 'state', key: rest };
  if (key.startsWith('m/') && isStateKey(rest)) return { kind: 'memory', key: rest };
  if (key.startsWith('c/') && isCursorName(rest)) return { kind: 'cursor', name: rest };
  if (key.startsWith('o/') && /^\d{1,15}$/.test(rest)) return { kind: 'outbox', sequence: Number(rest) };
  return undefined;
}

export function stateEntry(key: string, number: number, value: Uint8Array | undefined): ChangelogEntry {
  const frame = Buffer.allocUnsafe(FRAME_BYTES + (value?.byteLength ?? 0));
  frame.writeUInt8(value === undefined ? DELETE : PUT, 0);
  frame.writeUIntLE(number, 1, 6);
  if (value !== undefined) frame.set(value, FRAME_BYTES);
  return { key: stateKey(key), value: frame };
}

/** @throws ChangelogDamagedError */
export function parseState(value: Uint8Array, offset: number): StateFrame {
  const bytes = asBuffer(value);
  const kind = bytes.length < FRAME_BYTES ? 0 : bytes.readUInt8(0);
  if (kind !== PUT && kind !== DELETE) throw new ChangelogDamagedError(offset, 'a state entry of an unknown kind');
  return { number: bytes.readUIntLE(1, 6), value: kind === PUT ? bytes.subarray(FRAME_BYTES) : undefined };
}

/** Number of the checkpoint that a state entry claims to belong to; 0 when it is none. */
export function claimedNumber({ key, value }: ChangelogEntry): number {
  return key.startsWith('s/') && value !== null && value.byteLength >= FRAME_BYTES
    ? asBuffer(value).readUIntLE(1, 6)
    : 0;
}

export function placeEntry(place: PlaceRecord): ChangelogEntry {
  return { key: PLACE_KEY, value: Buffer.from(JSON.stringify(place)) };
}

/** @throws ChangelogDamagedError */
export function parsePlace(value: Uint8Array, offset: number): PlaceRecord {
  const found = parseObject(value, offset);
  const number = (name: string): number => {
    const field = found[name];
    if (typeof field === 'number' && Number.isSafeInteger(field) && field >= 0) return field;
    throw new ChangelogDamagedError(offset, `a place without ${name}`);
  };
  // Each field is read by its name, and a missing one has thrown.
  return Object.fromEntries(PLACE_FIELDS.map((name) => [name, number(name)])) as PlaceRecord;
}

export function ownerEntry(owner: OwnerRecord): ChangelogEntry {
  return { key: OWNER_KEY, value: Buffer.from(JSON.stringify(owner)) };
}

/** @throws ChangelogDamagedError */
export function parseOwner(value: Uint8Array, offset: number): OwnerRecord {
  const { owner } = parseObject(value, offset);
  if (typeof owner !== 'string') throw new ChangelogDamagedError(offset, 'an owner without a name');
  return { owner };
}

export function cursorEntry(name: string, value: number): ChangelogEntry {
  return { key: `c/${name}`, value: Buffer.from(String(value)) };
}

/** @throws ChangelogDamagedError */
export function parseCursor(value: Uint8Array, offset: number): number {
  const cursor = Number(asBuffer(value).toString('latin1', 0, 20));
  if (!Number.isSafeInteger(cursor) || cursor < 0)
    throw new ChangelogDamagedError(offset, 'a cursor that is no number');
  return cursor;
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parseObject(value: Uint8Array, offset: number): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(asBuffer(value).toString());
  } catch (cause) {
    throw new ChangelogDamagedError(offset, 'no JSON', { cause });
  }
  if (typeof parsed !== 'object' || parsed === null) throw new ChangelogDamagedError(offset, 'no object');
  return { ...parsed };
}

import { array, boolean, constant, constantFrom, double, integer, nat, oneof, record as object } from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import type { ScoringStore } from '../../src/log/port.js';
import type { Effect } from '../../src/model/effect.js';

const KEYS = ['a', 'b', 'c', 'd/1', 'd/2', 'ü'];
const CURSORS = ['storing', 'mail'];

/** One write of a scoring store. */
export type StoreWrite =
  | { do: 'checkpoint' | 'commit'; by: number; puts: [key: string, size: number][]; deletes: string[]; effects: number }
  | { do: 'effects'; by: number; effects: number }
  | { do: 'cursor'; name: string; by: number; remembers: number | undefined; forgets: boolean }
  | { do: 'trim'; share: number };

/** Everything that a scoring store holds, to be compared. */
export interface StoreContent {
  place: Record<'nextPosition' | 'effectsPosition' | 'outboxHead' | 'checkpointOutboxHead', number>;
  state: Record<string, string>;
  outbox: Record<number, string>;
  cursors: Record<string, number>;
}

export function anyWrite(): Arbitrary<StoreWrite> {
  const by = integer({ min: 0, max: 3 });
  const puts = array(
    oneof(
      { weight: 9, arbitrary: constantFrom(...KEYS).chain((key) => nat({ max: 30 }).map((size) => pair(key, size))) },
      { weight: 1, arbitrary: constantFrom(...KEYS).chain((key) => nat({ max: 900 }).map((size) => pair(key, size))) },
    ),
    { maxLength: 6 },
  );
  const deletes = array(constantFrom(...KEYS), { maxLength: 2 });
  const effects = nat({ max: 3 });
  return oneof(
    {
      weight: 4,
      arbitrary: object({ do: constantFrom('checkpoint' as const, 'commit' as const), by, puts, deletes, effects }),
    },
    { weight: 3, arbitrary: object({ do: constant('effects' as const), by, effects }) },
    {
      weight: 2,
      arbitrary: object({
        do: constant('cursor' as const),
        name: constantFrom(...CURSORS),
        by,
        remembers: oneof(constant(undefined), nat({ max: 20 })),
        forgets: boolean(),
      }),
    },
    { weight: 1, arbitrary: object({ do: constant('trim' as const), share: double({ min: 0, max: 1, noNaN: true }) }) },
  );
}

function pair(key: string, size: number): [key: string, size: number] {
  return [key, size];
}

let made = 0;

/** A write with all that it takes from the store as it is. */
export interface PlannedWrite {
  run: (store: ScoringStore) => Promise<void>;
  /** What it comes to. */
  expected: StoreContent;
  /** What it may have come to when it was cut off, beside nothing and all. */
  half?: StoreContent;
}

/** Fixes what a write does to a store with this content. Values differ from one write to the next. */
export function plan(write: StoreWrite, before: StoreContent): PlannedWrite {
  const mark = ++made;
  if (write.do === 'effects') return planEffects(write, before, mark);
  if (write.do === 'cursor') return planCursor(write, before, mark);
  if (write.do === 'trim') return planTrim(write.share, before);
  return planState(write, before, mark);
}

type WriteOf<Kind> = Extract<StoreWrite, { do: Kind }>;

function planState(write: WriteOf<'checkpoint' | 'commit'>, before: StoreContent, mark: number): PlannedWrite {
  const expected = structuredClone(before);
  const { place, state, outbox } = expected;
  const puts = write.puts.map(([key, size]) => ({ key, value: `${mark}${'x'.repeat(size)}` }));
  const bytes = puts.map(({ key, value }) => ({ key, value: Buffer.from(value) }));
  const deletes = write.deletes.filter((key) => !puts.some((put) => put.key === key));
  for (const key of deletes) delete state[key];
  for (const { key, value } of puts) state[key] = value;
  const { effectsPosition } = place;
  const nextPosition = place.nextPosition + write.by;
  const effects = effectsOf(mark, write.effects);
  const isSilent = nextPosition < effectsPosition && write.do === 'checkpoint';
  // Effects that leave while a checkpoint is being written are those of later records.
  if (!isSilent) place.checkpointOutboxHead = place.outboxHead + (write.do === 'commit' ? effects.length : 0);
  for (const effect of effects) outbox[++place.outboxHead] = JSON.stringify(effect);
  place.nextPosition = nextPosition;
  place.effectsPosition = Math.max(effectsPosition, nextPosition);
  if (write.do === 'commit') {
    return {
      expected,
      run: async (store) => void (await store.commit({ nextPosition, puts: bytes, deletes, effects })),
    };
  }
  const half = structuredClone(before);
  half.outbox = structuredClone(outbox);
  half.place.outboxHead = place.outboxHead;
  return {
    expected,
    half,
    run: async (store) => {
      const checkpoint = store.openCheckpoint(nextPosition);
      for (const key of deletes) checkpoint.delete(key);
      for (const { key, value } of bytes) checkpoint.put(key, value);
      if (effects.length > 0) await store.commitEffects(effectsPosition, effects);
      await checkpoint.finish();
    },
  };
}

function planEffects(write: WriteOf<'effects'>, before: StoreContent, mark: number): PlannedWrite {
  const expected = structuredClone(before);
  const { place, outbox } = expected;
  const effects = effectsOf(mark, write.effects);
  for (const effect of effects) outbox[++place.outboxHead] = JSON.stringify(effect);
  place.effectsPosition += write.by;
  const { effectsPosition } = place;
  return { expected, run: async (store) => void (await store.commitEffects(effectsPosition, effects)) };
}

function planCursor(write: WriteOf<'cursor'>, before: StoreContent, mark: number): PlannedWrite {
  const expected = structuredClone(before);
  const { state, cursors } = expected;
  const { name, remembers, forgets } = write;
  const value = (cursors[name] ?? 0) + write.by;
  cursors[name] = value;
  if (remembers === undefined) return { expected, run: (store) => store.setCursor(name, value) };
  const key = `${name}/${remembers % 3}`;
  const old = `${name}/${(remembers + 1) % 3}`;
  const puts = [{ key, value: Buffer.from(`${mark}`) }];
  state[key] = `${mark}`;
  if (forgets) delete state[old];
  return { expected, run: (store) => store.setCursor(name, value, { puts, deletes: forgets ? [old] : [] }) };
}

function planTrim(share: number, before: StoreContent): PlannedWrite {
  const expected = structuredClone(before);
  const { place, outbox } = expected;
  const sequence = Math.floor(place.checkpointOutboxHead * share);
  for (const each of Object.keys(outbox)) if (Number(each) <= sequence) delete outbox[Number(each)];
  return { expected, run: (store) => store.trimOutbox(sequence) };
}

function effectsOf(mark: number, count: number): Effect[] {
  return Array.from({ length: count }, (_, index) => ({
    type: 'command-event',
    value: {
      id: `${mark}.${index}`,
      commandId: 'c',
      tenant: 't',
      agentId: 'a',
      time: 1,
      state: 'sent',
      by: 'test',
      detail: '',
    },
  }));
}

export function emptyContent(): StoreContent {
  return {
    place: { nextPosition: 1, effectsPosition: 1, outboxHead: 0, checkpointOutboxHead: 0 },
    state: {},
    outbox: {},
    cursors: {},
  };
}

/** What a store holds. The environment knows cursors that nobody asks for by name. */
export function contentOf(store: ScoringStore, environment: EmbeddedEnvironment): StoreContent {
  const { nextPosition, effectsPosition, outboxHead, checkpointOutboxHead } = store;
  const cursors = [...environment.meta.getRange()].flatMap(({ key, value }) =>
    key.startsWith('cursor:') && typeof value === 'number' ? [[key.slice('cursor:'.length), value] as const] : [],
  );
  return {
    place: { nextPosition, effectsPosition, outboxHead, checkpointOutboxHead },
    state: Object.fromEntries([...store.entries('')].map(({ key, value }) => [key, Buffer.from(value).toString()])),
    outbox: Object.fromEntries(
      store.outbox(0, 1_000_000).map(({ sequence, effect }) => [sequence, JSON.stringify(effect)]),
    ),
    cursors: Object.fromEntries(cursors),
  };
}

import { hash53 } from '../lib/hash.js';

/** Earliest times that are kept of a call; `column` of the table. */
export const DECLARED = 1;
export const ATTEMPTED = 2;
export const WROTE = 3;
export const DENIED = 4;
export const FAILED = 5;
const STRIDE = 6;
/** Calls remembered per session; beyond it the settled and oldest quarter is forgotten. */
export const MAX_CALLS = 256;
/** Call ids named in one window. */
export const MAX_NAMED = 64;

/** What survives a restart. */
export interface CallTableState {
  rows: Float64Array;
  names: string[];
}

/**
 * The calls of one session, joined across streams by call id: when each was first declared, attempted, refused ...
 *
 * Only times are kept, always the earliest, so that the order of arrival does not matter. A call is six numbers in
 * one flat array; its id is kept as text only while a window may still have to name it.
 */
export class CallTable {
  readonly #rows: number[];
  /** One per row; empty where no window will name the call again. */
  readonly #names: string[];
  readonly #seed: number;
  #forgotten = 0;

  /** @param seed secret of this install: without it an agent cannot craft a call id that passes for another */
  constructor(seed: number, state?: CallTableState) {
    this.#seed = seed;
    this.#rows = state === undefined ? [] : [...state.rows];
    this.#names = state === undefined ? [] : [...state.names];
  }

  get size(): number {
    return this.#rows.length / STRIDE;
  }

  /** Calls forgotten since the last time this was asked. */
  takeForgotten(): number {
    const count = this.#forgotten;
    this.#forgotten = 0;
    return count;
  }

  /**
   * Notes that something happened to a call.
   *
   * @param time epoch ms
   * @returns the time noted before where `time` is earlier (Infinity when there was none), undefined where it is not
   */
  note(callId: string, column: number, time: number): number | undefined {
    const at = this.#find(callId) + column;
    const before = this.#rows[at] ?? Infinity;
    if (time >= before) return undefined;
    this.#rows[at] = time;
    return before;
  }

  /** Ids of calls declared before `end` and not attempted before it; earliest first, bounded. */
  declaredNotAttempted(end: number): string[] {
    return this.#named(DECLARED, (declaredAt, attemptedAt) => declaredAt < end && attemptedAt >= end);
  }

  /** Ids of calls attempted in `[start, end)` without a declaration before `end`; earliest first, bounded. */
  attemptedNotDeclared(start: number, end: number): string[] {
    return this.#named(
      ATTEMPTED,
      (declaredAt, attemptedAt) => attemptedAt >= start && attemptedAt < end && declaredAt >= end,
    );
  }

  /** Lets go of the names of calls that were declared and attempted before `time`: no window will name them again. */
  settle(time: number): void {
    for (const i of this.#names.keys()) {
      if (this.#settledAt(i * STRIDE) < time) this.#names[i] = '';
    }
  }

  state(): CallTableState {
    return { rows: Float64Array.from(this.#rows), names: [...this.#names] };
  }

  #find(callId: string): number {
    const hash = hash53(callId, this.#seed);
    const rows = this.#rows;
    for (let row = 0; row < rows.length; row += STRIDE) {
      if (rows[row] === hash) return row;
    }
    if (this.size >= MAX_CALLS) this.#forget();
    this.#names.push(callId);
    rows.push(hash, Infinity, Infinity, Infinity, Infinity, Infinity);
    return rows.length - STRIDE;
  }

  #settledAt(row: number): number {
    return Math.max(this.#rows[row + DECLARED] ?? Infinity, this.#rows[row + ATTEMPTED] ?? Infinity);
  }

  #seenAt(i: number): number {
    const row = i * STRIDE;
    return Math.min(this.#rows[row + DECLARED] ?? Infinity, this.#rows[row + ATTEMPTED] ?? Infinity);
  }

  #forget(): void {
    const order = [...this.#names.keys()].map((i) => ({ i, at: this.#settledAt(i * STRIDE), seenAt: this.#seenAt(i) }));
    const isOpen = ({ at }: { at: number }): number => (at === Infinity ? 1 : 0);
    order.sort((a, b) => isOpen(a) - isOpen(b) || a.seenAt - b.seenAt || a.i - b.i);
    const gone = new Set(order.slice(0, MAX_CALLS / 4).map(({ i }) => i));
    const rows = this.#rows.filter((_, at) => !gone.has(Math.floor(at / STRIDE)));
    const names = this.#names.filter((_, i) => !gone.has(i));
    this.#rows.splice(0, Infinity, ...rows);
    this.#names.splice(0, Infinity, ...names);
    this.#forgotten += gone.size;
  }

  #named(column: number, isWanted: (declaredAt: number, attemptedAt: number) => boolean): string[] {
    const found: { at: number; name: string }[] = [];
    for (const [i, name] of this.#names.entries()) {
      if (name === '') continue;
      const declaredAt = this.#rows[i * STRIDE + DECLARED] ?? Infinity;
      const attemptedAt = this.#rows[i * STRIDE + ATTEMPTED] ?? Infinity;
      if (isWanted(declaredAt, attemptedAt)) found.push({ at: column === DECLARED ? declaredAt : attemptedAt, name });
    }
    found.sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
    return found.slice(0, MAX_NAMED).map(({ name }) => name);
  }
}

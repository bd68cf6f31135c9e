import { HashSet } from '../lib/hash-set.js';
import type { Origin } from '../model/observation.js';
import { MAX_MENTIONED } from './scoring-state.js';

/** Newest results remembered, and hashes of each. */
const MAX_RESULTS = 16;
const MAX_VALUES = 256;

interface Result {
  callId: number;
  tool: number;
  /** In ascending order. */
  values: Uint32Array;
}

export interface PlainProvenance {
  /** Absent where it is kept elsewhere. */
  prompt?: Uint32Array;
  prompted: boolean;
  results: { callId: number; tool: number; values: Uint32Array }[];
}

/** Where a value came from, as far as the session's own record tells. */
export interface ResolvedOrigin {
  origin: Origin;
  /** Tool and call whose result held the value; 0 where none did. */
  source: number;
  sourceCall: number;
}

/** What prompts and results of one session mentioned, newest results first to be asked. */
export class Provenance {
  readonly #prompt: HashSet;
  readonly #results: Result[] = [];
  #prompted = false;

  /** @param mentioned what the session's prompts mention; shared with whoever else reads it */
  constructor(mentioned = new HashSet()) {
    this.#prompt = mentioned;
  }

  addPrompt(values: Iterable<number>): void {
    this.#prompted = true;
    this.#prompt.addAll(values, MAX_MENTIONED);
  }

  addResult(callId: number, tool: number, values: readonly number[]): void {
    this.#results.push({ callId, tool, values: Uint32Array.from(values.slice(0, MAX_VALUES)).sort() });
    if (this.#results.length > MAX_RESULTS) this.#results.shift();
  }

  /** A result that a control withheld was not read. */
  withdraw(callId: number): void {
    const at = this.#results.findLastIndex((result) => result.callId === callId);
    if (callId !== 0 && at >= 0) this.#results.splice(at, 1);
  }

  /** The latest result that holds the value counts as its source. `none` is only said where the request was seen. */
  resolve(target: { hash: number; words: readonly number[] }): ResolvedOrigin {
    const asked = holds((value) => this.#prompt.has(value), target);
    const result = this.#results.findLast(({ values }) => holds((value) => isIn(values, value), target));
    if (result !== undefined) {
      return { origin: asked ? 'both' : 'result', source: result.tool, sourceCall: result.callId };
    }
    const origin = asked ? 'prompt' : this.#prompted ? 'none' : 'unknown';
    return { origin, source: 0, sourceCall: 0 };
  }

  /** @param isKept what the prompts mention is kept by whoever shares it: it is left out */
  toPlain(isKept = false): PlainProvenance {
    return {
      ...(isKept ? {} : { prompt: this.#prompt.values().slice() }),
      prompted: this.#prompted,
      results: [...this.#results],
    };
  }

  static fromPlain(plain: PlainProvenance, mentioned = new HashSet()): Provenance {
    const provenance = new Provenance(mentioned);
    mentioned.addAll(plain.prompt ?? [], MAX_MENTIONED);
    provenance.#prompted = plain.prompted;
    provenance.#results.push(...plain.results);
    return provenance;
  }
}

/** The value as a whole, or all of its words. */
function holds(has: (value: number) => boolean, { hash, words }: { hash: number; words: readonly number[] }): boolean {
  return has(hash) || (words.length > 0 && words.every((word) => has(word)));
}

/** Binary search. */
function isIn(values: Uint32Array, value: number): boolean {
  let from = 0;
  let to = values.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((values[middle] ?? 0) < value) from = middle + 1;
    else to = middle;
  }
  return values[from] === value;
}

import type { Fact } from './facts.js';

/** Facts kept of one session, and hashes in them: enough to learn from it and to score it again. */
const MAX_FACTS = 384;
const MAX_HASHES = 12_288;

export interface PlainTrace {
  facts: readonly Fact[];
  full: boolean;
}

/** A session's facts in order, up to a bound; what comes after it is scored live but neither learned nor repeated. */
export class SessionTrace {
  readonly facts: Fact[];
  #hashes = 0;
  #full = false;

  constructor(plain: PlainTrace = { facts: [], full: false }) {
    this.facts = [];
    for (const fact of plain.facts) this.add(fact);
    this.#full = plain.full;
  }

  toPlain(): PlainTrace {
    return { facts: this.facts, full: this.#full };
  }

  add(fact: Fact): void {
    if (this.#full) return;
    this.#hashes += hashesIn(fact);
    if (this.facts.length >= MAX_FACTS || this.#hashes > MAX_HASHES) this.#full = true;
    else this.facts.push(fact);
  }

  /** Everything that happened is in `facts`. */
  get isComplete(): boolean {
    return !this.#full;
  }

  /** Whether there is anything to learn from. */
  get isEmpty(): boolean {
    return !this.facts.some(({ type }) => type === 'prompt' || type === 'call');
  }
}

function hashesIn(fact: Fact): number {
  if (fact.type === 'prompt') return fact.words.length + fact.values.length;
  if (fact.type === 'read') return 0;
  return fact.targets.reduce((sum, { words }) => sum + words.length + 4, fact.argWords.length + fact.toolWords.length);
}

import { murmur32 } from '../lib/hash.js';
import { identifierWords } from '../lib/text/words.js';
import type { CallObservation, PromptObservation, Target } from '../model/observation.js';
import type { CallFact, PromptFact, TargetFact } from './facts.js';
import { mix } from './keys.js';
import type { Provenance } from './provenance.js';

const MAX_TARGETS = 32;
const MAX_TARGET_WORDS = 24;
const MAX_ARG_WORDS = 200;
/** Longest name kept for people. */
const MAX_NAME_CHARS = 64;
/** Names whose hashes are remembered; above it they are forgotten and worked out anew. */
const MAX_CACHED_NAMES = 8_192;

/** Reads observations as facts: names become hashes, unknown origins are resolved from the session's own record. */
export class FactReader {
  readonly #seed: number;
  readonly #names = new Map<string, number>();
  readonly #toolWords = new Map<string, readonly number[]>();

  /** @param seed per-install secret, 32 bit: the one that keyed the observations' hashes */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Hash of a tool's, field's or kind's name, or of a call's id. */
  name(name: string): number {
    const held = this.#names.get(name);
    if (held !== undefined) return held;
    const hash = murmur32(name, this.#seed);
    if (this.#names.size >= MAX_CACHED_NAMES) this.#names.clear();
    this.#names.set(name, hash);
    return hash;
  }

  /** Hash of a call's id; 0 where there is none. Ids are short-lived, so that they are not remembered. */
  callId(id: string | undefined): number {
    return id === undefined ? 0 : murmur32(id, this.#seed);
  }

  prompt(prompt: PromptObservation): PromptFact {
    return { type: 'prompt', words: Uint32Array.from(prompt.words), values: Uint32Array.from(prompt.values) };
  }

  call(call: CallObservation, provenance: Provenance): CallFact {
    return {
      type: 'call',
      callId: this.callId(call.callId),
      tool: this.name(call.tool),
      toolName: call.tool.slice(0, MAX_NAME_CHARS),
      toolWords: this.#wordsOf(call.tool),
      effect: call.effect,
      targets: call.targets.slice(0, MAX_TARGETS).map((target) => this.#target(target, provenance)),
      argWords: Uint32Array.from(call.argWords.slice(0, MAX_ARG_WORDS)),
    };
  }

  /** What makes two observations of a call the same call: its tool, targets and argument words, not its id alone. */
  fingerprint(call: CallFact): number {
    let print = mix(call.tool, call.targets.length);
    for (const { field, value } of call.targets) print = mix(mix(print, field), value);
    for (const word of call.argWords) print = mix(print, word);
    return print;
  }

  #target(target: Target, provenance: Provenance): TargetFact {
    const words = target.words.slice(0, MAX_TARGET_WORDS);
    const given = {
      origin: target.origin,
      source: target.originTool === undefined ? 0 : this.name(target.originTool),
      sourceCall: this.callId(target.originCall),
    };
    return {
      field: this.name(target.field),
      fieldName: target.field.slice(0, MAX_NAME_CHARS),
      kind: this.name(target.kind),
      kindName: target.kind.slice(0, MAX_NAME_CHARS),
      value: target.hash,
      words,
      ...(target.origin === 'unknown' ? provenance.resolve({ hash: target.hash, words }) : given),
    };
  }

  #wordsOf(tool: string): readonly number[] {
    const held = this.#toolWords.get(tool);
    if (held !== undefined) return held;
    const words = identifierWords(tool, this.#seed);
    if (this.#toolWords.size >= MAX_CACHED_NAMES) this.#toolWords.clear();
    this.#toolWords.set(tool, words);
    return words;
  }
}

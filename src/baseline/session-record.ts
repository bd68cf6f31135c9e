import type { CallFact, Fact, SessionRecord, TargetRecord, UsedTool } from './facts.js';
import { isWrite, mix, wordKey } from './keys.js';
import { HashSet } from '../lib/hash-set.js';
import { EFFECTS, ORIGINS } from '../model/observation.js';
import { MAX_ARG_WORDS, MAX_INTENT, MAX_MENTIONED, MAX_TOOLS } from './scoring-state.js';

const MAX_TRANSITIONS = 64;
const MAX_TARGETS = 96;
const MAX_WORD_KEYS = 128;
const MAX_NAMES = 128;

/** What a finished session leaves for a baseline to count. The same facts always give the same record. */
export function recordOf(facts: readonly Fact[]): SessionRecord {
  const intent = new HashSet();
  const mentioned = new HashSet();
  const tools = new Map<number, UsedTool>();
  const transitions: [number, number][] = [];
  const targets = new Map<number, TargetRecord>();
  const argWords = new HashSet();
  const wordKeys = new HashSet();
  const names = new Map<number, string>();
  let lastTool = 0;
  for (const fact of facts) {
    if (fact.type === 'prompt') {
      intent.addAll(fact.words, MAX_INTENT);
      mentioned.addAll(fact.values, MAX_MENTIONED);
    } else if (fact.type === 'call') {
      const { tool, effect } = fact;
      if (transitions.length < MAX_TRANSITIONS) transitions.push([lastTool, tool]);
      lastTool = tool;
      if (tools.size < MAX_TOOLS && !tools.has(tool)) {
        tools.set(tool, { tool, write: isWrite(effect), words: fact.toolWords });
      }
      argWords.addAll(fact.argWords, MAX_ARG_WORDS);
      for (const word of fact.argWords) {
        if (wordKeys.size < MAX_WORD_KEYS && !mentioned.has(word)) wordKeys.add(wordKey(tool, word));
      }
      addTargets(targets, fact);
      addNames(names, fact);
    }
  }
  return {
    intent: intent.values(),
    tools: [...tools.values()],
    transitions,
    targets: [...targets.values()],
    argWords: argWords.values(),
    wordKeys: wordKeys.values(),
    names: [...names],
  };
}

function addTargets(into: Map<number, TargetRecord>, { tool, effect, targets }: CallFact): void {
  for (const { field, kind, value, origin, source } of targets) {
    const key = mix(mix(tool, field), value);
    if (into.size < MAX_TARGETS && !into.has(key)) into.set(key, { tool, effect, field, kind, value, origin, source });
  }
}

function addNames(into: Map<number, string>, call: CallFact): void {
  into.set(call.tool, call.toolName);
  for (const { field, fieldName, kind, kindName } of call.targets) {
    if (into.size >= MAX_NAMES) return;
    into.set(field, fieldName).set(kind, kindName);
  }
}

/** A record in flat arrays: cheap to store. */
export interface PackedRecord {
  intent: Uint32Array;
  /** Tool, whether it writes, number of words, the words. */
  tools: Uint32Array;
  transitions: Uint32Array;
  /** Seven numbers each. */
  targets: Uint32Array;
  argWords: Uint32Array;
  wordKeys: Uint32Array;
  named: Uint32Array;
  names: string[];
}

export function packRecord(record: SessionRecord): PackedRecord {
  return {
    intent: Uint32Array.from(record.intent),
    tools: Uint32Array.from(
      record.tools.flatMap(({ tool, write, words }) => [tool, write ? 1 : 0, words.length, ...words]),
    ),
    transitions: Uint32Array.from(record.transitions.flat()),
    targets: Uint32Array.from(
      record.targets.flatMap(({ tool, effect, field, kind, value, origin, source }) => {
        return [tool, EFFECTS.indexOf(effect), field, kind, value, ORIGINS.indexOf(origin), source];
      }),
    ),
    argWords: Uint32Array.from(record.argWords),
    wordKeys: Uint32Array.from(record.wordKeys),
    named: Uint32Array.from(record.names, ([hash]) => hash),
    names: record.names.map(([, name]) => name),
  };
}

export function unpackRecord(packed: PackedRecord): SessionRecord {
  const { tools, transitions, targets } = packed;
  const record = {
    intent: packed.intent,
    tools: [] as UsedTool[],
    transitions: [] as [number, number][],
    targets: [] as TargetRecord[],
    argWords: packed.argWords,
    wordKeys: packed.wordKeys,
    names: packed.names.map((name, i): [number, string] => [packed.named[i] ?? 0, name]),
  };
  for (let at = 0; at < tools.length;) {
    const [tool = 0, write = 0, count = 0] = tools.subarray(at, at + 3);
    record.tools.push({ tool, write: write === 1, words: [...tools.subarray(at + 3, at + 3 + count)] });
    at += 3 + count;
  }
  for (let at = 0; at < transitions.length; at += 2) {
    record.transitions.push([transitions[at] ?? 0, transitions[at + 1] ?? 0]);
  }
  for (let at = 0; at < targets.length; at += 7) {
    const [tool = 0, effect = 0, field = 0, kind = 0, value = 0, origin = 0, source = 0] = targets.subarray(at, at + 7);
    const [by = 'unknown', from = 'unknown'] = [EFFECTS[effect], ORIGINS[origin]];
    record.targets.push({ tool, effect: by, field, kind, value, origin: from, source });
  }
  return record;
}

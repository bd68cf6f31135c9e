import type { CallFact, Fact, SessionRecord, TargetRecord, UsedTool } from './facts.js';
import { isWrite, mix, wordKey } from './keys.js';
import { addAll, MAX_ARG_WORDS, MAX_INTENT, MAX_MENTIONED, MAX_TOOLS } from './scoring-state.js';

const MAX_TRANSITIONS = 64;
const MAX_TARGETS = 96;
const MAX_WORD_KEYS = 128;
const MAX_NAMES = 128;

/** What a finished session leaves for a baseline to count. The same facts always give the same record. */
export function recordOf(facts: readonly Fact[]): SessionRecord {
  const intent = new Set<number>();
  const mentioned = new Set<number>();
  const tools = new Map<number, UsedTool>();
  const transitions: [number, number][] = [];
  const targets = new Map<number, TargetRecord>();
  const argWords = new Set<number>();
  const wordKeys = new Set<number>();
  const names = new Map<number, string>();
  let lastTool = 0;
  for (const fact of facts) {
    if (fact.type === 'prompt') {
      addAll(intent, fact.words, MAX_INTENT);
      addAll(mentioned, fact.values, MAX_MENTIONED);
    } else if (fact.type === 'call') {
      const { tool, effect } = fact;
      if (transitions.length < MAX_TRANSITIONS) transitions.push([lastTool, tool]);
      lastTool = tool;
      if (tools.size < MAX_TOOLS && !tools.has(tool)) {
        tools.set(tool, { tool, write: isWrite(effect), words: fact.toolWords });
      }
      addAll(argWords, fact.argWords, MAX_ARG_WORDS);
      for (const word of fact.argWords) {
        if (wordKeys.size < MAX_WORD_KEYS && !mentioned.has(word)) wordKeys.add(wordKey(tool, word));
      }
      addTargets(targets, fact);
      addNames(names, fact);
    }
  }
  return {
    intent: [...intent],
    tools: [...tools.values()],
    transitions,
    targets: [...targets.values()],
    argWords: [...argWords],
    wordKeys: [...wordKeys],
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

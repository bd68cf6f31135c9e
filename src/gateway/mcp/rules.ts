import { matchesName } from '../../lib/name-pattern.js';
import type { Effect } from '../../model/observation.js';

/** `ask`: a person must agree first. From loose to strict. */
export const RULE_DECISIONS = ['allow', 'ask', 'deny'] as const;
export type RuleDecision = (typeof RULE_DECISIONS)[number];

/** One rule as it is written. */
export interface WrittenRule {
  id?: string;
  /** Names of tools as clients see them, or beginnings followed by `*`. */
  tools: readonly string[];
  decision?: RuleDecision;
  effect?: Effect;
  reason?: string;
}

/** What the rules say about a tool. */
export interface RuleFinding {
  decision: RuleDecision;
  /** The rule behind the decision, for the audit record. */
  ruleId: string;
  reason?: string;
  /** Said by a rule; undefined where none does. */
  effect?: Effect;
}

/**
 * The rules of this gateway's operator, by tool. The most particular pattern wins, whatever the order: an exact name,
 * then the longest beginning; of two equal ones the stricter. Decision and effect are looked up each for itself.
 */
export class ToolRules {
  readonly #default: RuleDecision;
  readonly #lines: readonly { pattern: string; ruleId: string; rule: WrittenRule }[];

  constructor(fallback: RuleDecision, rules: readonly WrittenRule[]) {
    this.#default = fallback;
    this.#lines = rules
      .flatMap((rule, i) => rule.tools.map((pattern) => ({ pattern, ruleId: `mcp:${rule.id ?? `rules.${i}`}`, rule })))
      .sort((a, b) => rank(b.pattern) - rank(a.pattern) || strictness(b.rule.decision) - strictness(a.rule.decision));
  }

  find(tool: string): RuleFinding {
    const matching = this.#lines.filter(({ pattern }) => matchesName(pattern, tool));
    const decided = matching.find(({ rule }) => rule.decision !== undefined);
    const effect = matching.find(({ rule }) => rule.effect !== undefined)?.rule.effect;
    const finding: RuleFinding = {
      decision: decided?.rule.decision ?? this.#default,
      ruleId: decided?.ruleId ?? 'mcp:default',
    };
    if (decided?.rule.reason !== undefined) finding.reason = decided.rule.reason;
    if (effect !== undefined) finding.effect = effect;
    return finding;
  }
}

/** An exact name is more particular than any beginning. */
function rank(pattern: string): number {
  return pattern.endsWith('*') ? pattern.length : Number.MAX_SAFE_INTEGER;
}

function strictness(decision: RuleDecision | undefined): number {
  return decision === undefined ? -1 : RULE_DECISIONS.indexOf(decision);
}

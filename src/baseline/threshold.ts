/** One clean session scored by a baseline that never saw its request. */
export interface OutOfFold {
  agentId: string;
  /** Agent and request: repeated requests are one independent sample. */
  group: string;
  /** Highest risk of the session, nats. */
  risk: number;
}

/** The common tail of all agents, above their own levels. */
export interface Tail {
  /** Alarm where the risk is greater, nats above the agent's level. */
  nats: number;
  /** Independent groups of requests, not sessions. */
  groups: number;
  /** The smallest false-alarm budget this history can support: 1 / (groups + 1). */
  strongestBudget: number;
  supported: boolean;
}

/**
 * Split-conformal threshold with groups as samples (Vovk, Gammerman, Shafer 2005; a group counts one, shared among
 * its sessions): the lowest risk that the clean history exceeds at a rate of at most the budget, one unseen group
 * added as exceeding.
 *
 * @param budget share of clean sessions that may alarm
 */
export function conformalTail(samples: readonly OutOfFold[], budget: number): Tail {
  const sizes = groupSizes(samples);
  const groups = sizes.size;
  const strongestBudget = 1 / (groups + 1);
  const sorted = [...samples].sort((a, b) => b.risk - a.risk);
  let exceeding = 1;
  let nats = sorted[0]?.risk ?? Number.POSITIVE_INFINITY;
  for (const { risk, group } of sorted) {
    nats = risk;
    exceeding += 1 / (sizes.get(group) ?? 1);
    if (exceeding / (groups + 1) > budget) break;
  }
  return { nats, groups, strongestBudget, supported: strongestBudget <= budget };
}

/** Share of clean groups from which on the tail's shape is read. */
const TAIL_SHARE = 0.2;

/**
 * The risk that clean sessions exceed at a rate of the budget, if risks beyond the highest fifth fall off
 * exponentially (the limit of excesses over a high threshold: Pickands 1975, Balkema and de Haan 1974, shape 0).
 * An estimate, not a promise.
 */
export function extrapolatedTail(samples: readonly OutOfFold[], budget: number): number {
  const sizes = groupSizes(samples);
  const weightOf = ({ group }: OutOfFold) => 1 / (sizes.get(group) ?? 1);
  const sorted = [...samples].sort((a, b) => b.risk - a.risk);
  let above = 0;
  let sum = 0;
  for (const sample of sorted) {
    if (above >= TAIL_SHARE * sizes.size) {
      const excess = sum / above - sample.risk;
      return sample.risk + Math.max(0, excess * Math.log(above / sizes.size / budget));
    }
    above += weightOf(sample);
    sum += weightOf(sample) * sample.risk;
  }
  return Number.POSITIVE_INFINITY;
}

/**
 * A history too short for the budget would put the threshold at the highest clean risk: far too high, since one session
 * of a request's many makes it. There the shape of the tail decides, if it says less.
 */
function tailFor(samples: readonly OutOfFold[], budget: number): number {
  const { nats, supported } = conformalTail(samples, budget);
  return supported ? nats : Math.min(nats, extrapolatedTail(samples, budget));
}

/** Groups an agent's own median must outweigh before it stands alone. */
const LEAN_GROUPS = 10;

export interface Levels {
  /** Independent groups of requests, and the smallest budget that they can support. */
  groups: number;
  strongestBudget: number;
  /** The common tail above the levels by budget, nats. */
  tails: Map<number, number>;
  /** Level by agent, nats. */
  agents: Map<string, number>;
  /** Level of an agent that has no clean history. */
  unknown: number;
}

/**
 * Levels by agent and a tail for budgets that no agent's history supports alone: risks are compared after taking away each
 * agent's own level (its group-weighted median, leaning on everybody's while groups are few), and only the common
 * tail is pooled. The raw risk stays as it is; an agent that is always odd gets a higher bar.
 */
export function levelledTails(samples: readonly OutOfFold[], budgets: readonly number[]): Levels {
  const byAgent = new Map<string, OutOfFold[]>();
  for (const sample of samples) {
    const list = byAgent.get(sample.agentId);
    if (list === undefined) byAgent.set(sample.agentId, [sample]);
    else list.push(sample);
  }
  const centre = groupMedian(samples);
  const agents = new Map<string, number>();
  const shifted: OutOfFold[] = [];
  for (const [agentId, own] of byAgent) {
    const n = groupSizes(own).size;
    const level = (n * groupMedian(own) + LEAN_GROUPS * centre) / (n + LEAN_GROUPS);
    agents.set(agentId, level);
    for (const sample of own) shifted.push({ ...sample, risk: sample.risk - level });
  }
  const groups = groupSizes(samples).size;
  const tails = new Map(budgets.map((budget) => [budget, tailFor(shifted, budget)]));
  return { groups, strongestBudget: 1 / (groups + 1), tails, agents, unknown: centre };
}

/** Median risk with every group counting one, nats. */
function groupMedian(samples: readonly OutOfFold[]): number {
  const sizes = groupSizes(samples);
  const sorted = [...samples].sort((a, b) => a.risk - b.risk);
  let seen = 0;
  for (const { risk, group } of sorted) {
    seen += 1 / (sizes.get(group) ?? 1);
    if (seen >= sizes.size / 2) return risk;
  }
  return 0;
}

function groupSizes(samples: readonly OutOfFold[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { group } of samples) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  return sizes;
}

import type { AgentBaseline } from './agent-baseline.js';
import type { SessionRecord } from './facts.js';
import type { PastSession } from './history.js';
import { Journal } from './journal.js';
import type { Models } from './prior.js';
import { rescore } from './rescore.js';
import { requestKeyOf } from './scoring-state.js';
import { recordOf } from './session-record.js';
import { levelledTails, type OutOfFold } from './threshold.js';

/** What a tenant's thresholds are; plain data. */
export interface Calibration {
  /** Independent groups of requests in the history. */
  groups: number;
  /** The smallest budget the history supports, 1 / (groups + 1). */
  strongestBudget: number;
  /** Level by agent, and of an agent without clean history, nats. */
  levels: Map<string, number>;
  unknownLevel: number;
  /** Above the level, by the budgets that were asked for, nats. */
  tails: Map<number, number>;
  /** Sessions learned by the tenant when it was made. */
  learnedSessions: number;
}

export interface Calibrating {
  own: AgentBaseline;
  pool: AgentBaseline;
  /** Name of the pool; '' for that of no class. */
  peers?: string;
  models: Models;
}

/** Newest sessions of one request that are taken out of the baselines, and scored, together. */
export const MAX_TAKEN_OUT = 256;
const MAX_SCORED = 32;

/**
 * Scores clean sessions of one agent with the same first request by baselines that never saw that request: they are
 * taken out, the newest are scored, and all are put back. Leaves the baselines exactly as they were.
 * (Scoring learned sessions themselves turned a budget of 1 % into 7 % and 22 % false alarms on recorded sessions.)
 *
 * @param members oldest first
 * @returns highest risk of each scored session, nats
 */
export function outOfFold(members: readonly PastSession[], { own, pool, peers = '', models }: Calibrating): number[] {
  const journal = new Journal();
  const taken = members
    .slice(-MAX_TAKEN_OUT)
    .map((past) => ({ record: recordOf(past.facts), peers: past.peers ?? '' }));
  const records = taken.map(({ record }) => record);
  hideRequests(records, { own, pool, journal });
  for (const session of taken) {
    own.learn(session.record, -1, journal);
    // An agent whose class has changed left its earlier sessions with the peers it had then.
    if (session.peers === peers) pool.learn(session.record, -1, journal);
  }
  const risks = members.slice(-MAX_SCORED).map(({ facts, extraNats }) => {
    return Math.max(rescore(facts, { own, pool, models }), NO_CALL_NATS) + extraNats;
  });
  journal.restore();
  return risks;
}

/** What thresholds rest on, from out-of-fold samples. @param budgets all that thresholds are asked for */
export function calibrationOf(
  samples: readonly OutOfFold[],
  budgets: readonly number[],
  learnedSessions: number,
): Calibration {
  const { groups, strongestBudget, agents, unknown, tails } = levelledTails(samples, budgets);
  return { groups, strongestBudget, levels: agents, unknownLevel: unknown, tails, learnedSessions };
}

/**
 * An agent's threshold for a budget, nats. None lies below -ln(budget): a history without any surprise would otherwise
 * make an alarm of the first triviality. This can only take false alarms away. A budget that was not asked for at the
 * calibration gets the strictest of those that were.
 */
export function thresholdIn({ levels, unknownLevel, tails }: Calibration, agentId: string, budget: number): number {
  const tail = tails.get(budget) ?? Math.max(...tails.values());
  return Math.max(-Math.log(budget), (levels.get(agentId) ?? unknownLevel) + tail);
}

/** A clean session without calls did nothing that could alarm, and counts as such. */
const NO_CALL_NATS = -99;

/**
 * Takes out of sight what would be left of the sessions' requests once they are taken out, or would be empty: cheaper
 * than counting them down. Something is left where older sessions of the request have left the history.
 */
function hideRequests(
  records: readonly SessionRecord[],
  { own, pool, journal }: { own: AgentBaseline; pool: AgentBaseline; journal: Journal },
): void {
  const sessionsOf = new Map<number, number>();
  for (const { intent } of records) {
    const key = requestKeyOf(intent);
    sessionsOf.set(key, (sessionsOf.get(key) ?? 0) + 1);
  }
  for (const [key, sessions] of sessionsOf) {
    const mine = own.requests.get(key);
    const pooled = pool.requests.get(key);
    const isLeft = mine !== undefined && mine.sessions > sessions;
    if (mine !== undefined) own.requests.remove(mine, journal);
    if (pooled !== undefined && (isLeft || pooled.sessions <= sessions)) pool.requests.remove(pooled, journal);
  }
}

import type { AgentBaseline } from './agent-baseline.js';
import { recordOf } from './session-record.js';
import type { PastSession } from './history.js';
import { Journal } from './journal.js';
import type { ToolExpectation } from './prior.js';
import { rescore } from './rescore.js';
import { requestKeyOf } from './scoring-state.js';
import { levelledThresholds, type OutOfFold } from './threshold.js';

/** What a tenant's thresholds are; plain data. */
export interface Calibration {
  /** Share of clean sessions that may alarm. */
  budget: number;
  /** Independent groups of requests in the history. */
  groups: number;
  /** The smallest budget the history supports, 1 / (groups + 1). */
  strongestBudget: number;
  supported: boolean;
  /** Threshold by agent, and of an agent without clean history, nats. */
  agents: Map<string, number>;
  unknownNats: number;
  /** Sessions learned by the tenant when it was made. */
  learnedSessions: number;
}

/** A first calibration needs this many kinds of request and sessions. */
export const FIRST_GROUPS = 10;
export const FIRST_SESSIONS = 20;
/** Sessions scored in one run; the newest count. */
export const MAX_CALIBRATED = 1_500;

export interface Calibrating {
  pool: AgentBaseline;
  agent: (agentId: string) => AgentBaseline | undefined;
  model: ToolExpectation;
}

/**
 * Scores clean sessions by baselines that never saw their request: every group of an agent's sessions with the same
 * first request is taken out of the baselines, scored, and put back. Leaves the baselines exactly as they were.
 * (Scoring learned sessions themselves turned a budget of 1 % into 7 % and 22 % false alarms on recorded sessions.)
 *
 * @returns one sample per session
 */
export function outOfFold(sessions: readonly PastSession[], from: Calibrating): OutOfFold[] {
  const groups = new Map<string, PastSession[]>();
  for (const session of sessions) {
    const key = groupOf(session);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [session]);
    else group.push(session);
  }
  const samples: OutOfFold[] = [];
  for (const [group, members] of groups) {
    const agentId = members[0]?.agentId ?? '';
    const own = from.agent(agentId);
    if (own === undefined) continue;
    const journal = new Journal();
    for (const member of members) takeOut(member, own, from.pool, journal);
    for (const member of members) hideRequest(member, own, from.pool, journal);
    for (const { facts, extraNats } of members) {
      const risk = rescore(facts, { own, pool: from.pool, model: from.model });
      samples.push({ agentId, group, risk: Math.max(risk, NO_CALL_NATS) + extraNats });
    }
    journal.restore();
  }
  return samples;
}

/**
 * Thresholds for a budget from out-of-fold samples. None lies below -ln(budget): a history without any surprise would
 * otherwise make an alarm of the first triviality. This can only take false alarms away.
 */
export function calibrationOf(samples: readonly OutOfFold[], budget: number, learnedSessions: number): Calibration {
  const { tail, agents, unknown } = levelledThresholds(samples, budget);
  const threshold = (level: number) => Math.max(-Math.log(budget), level + tail.nats);
  return {
    budget,
    groups: tail.groups,
    strongestBudget: tail.strongestBudget,
    supported: tail.supported,
    agents: new Map([...agents].map(([agentId, level]) => [agentId, threshold(level)])),
    unknownNats: threshold(unknown),
    learnedSessions,
  };
}

/** Agent and first request: sessions of one group are not independent samples. */
export function groupOf({ agentId, facts }: Pick<PastSession, 'agentId' | 'facts'>): string {
  const first = facts.find((fact) => fact.type === 'prompt');
  return JSON.stringify([agentId, requestKeyOf(first?.words ?? [])]);
}

/** A clean session without calls did nothing that could alarm, and counts as such. */
const NO_CALL_NATS = -99;

function takeOut({ facts }: PastSession, own: AgentBaseline, pool: AgentBaseline, journal: Journal): void {
  const record = recordOf(facts);
  own.learn(record, -1, journal);
  pool.learn(record, -1, journal);
}

/** Older sessions of the request may have left the history while their counts remain: then it is taken out of sight. */
function hideRequest({ facts }: PastSession, own: AgentBaseline, pool: AgentBaseline, journal: Journal): void {
  const key = requestKeyOf(recordOf(facts).intent);
  const left = own.requests.get(key);
  if (left === undefined) return;
  own.requests.remove(left, journal);
  const pooled = pool.requests.get(key);
  if (pooled !== undefined) pool.requests.remove(pooled, journal);
}

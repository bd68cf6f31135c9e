import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import type { Incident } from '../model/incident.js';
import { firmAgents, sharedTarget, type CauseState, type ShiftState } from './fleet-cause.js';

const MAX_TIMELINE = 40;
/** Terms of the tail looked at; the rest is smaller than any digit shown. */
const MAX_TERMS = 2_000;

export interface Compared {
  /** Agents of the class that were active. */
  peers: number;
  /** Share of an agent's clean sessions that may alarm. */
  budget: number;
  calibrationGroups: number;
}

/** Whose incident a shift is: it belongs to no single agent. */
export function classSubject(agentClass: string): string {
  return `class:${agentClass}`;
}

/** The incident of a shift, in words and with its arithmetic: a function of the cause, so that it can be made again. */
export function shiftIncident(
  cause: CauseState,
  shift: ShiftState,
  { peers, budget, calibrationGroups }: Compared,
): Incident {
  const { tenant, agentClass, agents } = cause;
  const n = Math.max(peers, agents.length);
  const nats = tailNats(agents.length, n, budget);
  const isCampaign = shift.nature === 'campaign';
  const times = agents.map(({ time }) => time);
  const within = spanText(Math.max(...times) - Math.min(...times));
  const head = `${agents.length} of ${n} ${agentClass} agents ${cause.about} ${within}`;
  const label = `${agents.length} of ${n} active agents of the class showed it; by chance each does in ${percent(budget)} of its sessions`;
  const title = isCampaign ? `campaign: ${head}; ${campaignText(cause)}` : `${head}; ${releaseText(cause)}`;
  return {
    id: shift.incidentId,
    tenant,
    agentId: classSubject(agentClass),
    openedAt: shift.openedAt,
    updatedAt: Math.max(shift.openedAt, cause.latest),
    status: 'open',
    severity: isCampaign ? 'critical' : 'medium',
    title: inertText(title, MAX_LINE_CHARS),
    riskNats: nats,
    thresholdNats: -Math.log(budget),
    budget,
    calibrationGroups,
    arithmetic: [{ label, nats }],
    signals: [],
    timeline: agents.slice(-MAX_TIMELINE).map(({ line }) => line),
    emitters: [],
    violation: false,
    commandIds: [],
    fleet: { agentClass, nature: shift.nature, agents: agents.length, peers: n, incidentIds: [...shift.incidentIds] },
  };
}

function campaignText(cause: CauseState): string {
  const shared = sharedTarget(cause);
  if (shared !== undefined) return `${shared.agents} of them on the same new target ${shared.value}`;
  return `${firmAgents(cause)} of them on something new or on the word of an untrusted source`;
}

function releaseText(cause: CauseState): string {
  const firm = firmAgents(cause);
  if (firm === 0) return 'nothing in their targets or sources is new';
  return `in ${firm} of them targets or sources are new as well`;
}

/**
 * Surprise that at least k of n agents show something which each shows with probability p, nats: the upper tail of the
 * binomial distribution, summed as logarithms.
 */
export function tailNats(k: number, n: number, p: number): number {
  if (k <= 0) return 0;
  const odds = Math.log(p) - Math.log1p(-p);
  let term = n * Math.log1p(-p);
  for (let i = 0; i < k; i++) term += Math.log(n - i) - Math.log(i + 1) + odds;
  const first = term;
  let sum = 0;
  for (let i = k; i <= n && i < k + MAX_TERMS; i++) {
    sum += Math.exp(term - first);
    term += Math.log(n - i) - Math.log(i + 1) + odds;
  }
  return Math.max(0, -(first + Math.log(sum)));
}

function spanText(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  if (minutes <= 1) return 'within a minute';
  return minutes < 120 ? `within ${minutes} minutes` : `within ${Math.ceil(minutes / 60)} hours`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

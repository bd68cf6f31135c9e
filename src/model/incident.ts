import type { Signal } from './signal.js';
import { SOURCE_INTEGRITY } from './source-trouble.js';

export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const INCIDENT_STATUSES = ['open', 'contained', 'closed'] as const;
export type IncidentStatus = (typeof INCIDENT_STATUSES)[number];

/** One line of an incident's history. */
export interface TimelineEntry {
  time: number;
  stream: 'reasoning' | 'action' | 'governance' | 'metric' | 'parallax';
  text: string;
  /** The observation, signal or command behind it. */
  refId: string;
}

/** How the risk came about, term by term, so that a person can add it up. */
export interface RiskTerm {
  label: string;
  nats: number;
}

/** What many agents did at once: an incident about a class of agents, or about the cap on containment. */
export interface FleetFacts {
  /** Empty where it is about the whole fleet. */
  agentClass: string;
  /**
   * `release`: many agents changed alike, nothing else about them is new. `campaign`: targets or sources are new as
   * well. `blast-radius`: so much was contained that the rest waits for a person.
   */
  nature: 'release' | 'campaign' | 'blast-radius';
  /** Agents it is about, of so many. */
  agents: number;
  peers: number;
  /** Incidents of single sessions that it gathers: its verdict is theirs. */
  incidentIds: string[];
}

/** Correlated signals about one session (or agent, where there is no session). */
export interface Incident {
  /** Deterministic: the same log gives the same id. */
  id: string;
  tenant: string;
  agentId: string;
  sessionId?: string;
  openedAt: number;
  updatedAt: number;
  status: IncidentStatus;
  severity: Severity;
  title: string;
  /** Highest combined evidence so far, nats; never saturated. */
  riskNats: number;
  /** The threshold it crossed, nats; 1,000,000 where there was none yet. `budget`: the false-alarm rate it stands for. */
  thresholdNats: number;
  budget: number;
  /** Kinds of request behind the threshold: below about 1/budget of them the budget is an extrapolation. */
  calibrationGroups: number;
  /** Seq of the observation at which the incident was opened. */
  openedSeq?: number;
  arithmetic: RiskTerm[];
  signals: Signal[];
  timeline: TimelineEntry[];
  emitters: string[];
  /** True where it was opened by a broken invariant. */
  violation: boolean;
  commandIds: string[];
  verdict?: string;
  closedBy?: string;
  fleet?: FleetFacts;
  /** The incident of the whole class that gathers this one. */
  gatheredBy?: string;
}

/**
 * Whether it tells people of something that the observer saw of itself or of gateways, such as a containment that nobody
 * confirms or an emitter that falls silent: nothing about it is a matter of probability.
 */
export function isNotice({ signals, budget }: Pick<Incident, 'signals' | 'budget'>): boolean {
  return budget === 0 && signals.every(({ detectorId }) => detectorId === SOURCE_INTEGRITY);
}

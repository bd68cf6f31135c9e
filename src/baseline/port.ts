import type { FinishedFacts } from '../detect/port.js';
import type { PartitionPlace } from '../model/allowance.js';
import type { Learning } from './learning.js';
import type { Prior } from './prior.js';

import type { Budgets } from './thresholds.js';

export type { Budgets, Threshold } from './thresholds.js';

/** `frozen`: nothing is learned. `vouched`: an operator vouches for the traffic, flagged sessions are learned too. */
export type LearningMode = 'on' | 'frozen' | 'vouched';

/** What becomes of a closed session. */
export type SessionOutcome = 'learn' | 'discard' | { quarantine: string };

export interface ClosedResult {
  learned: boolean;
  /** The tenant's thresholds were computed anew. */
  calibrated: boolean;
  /** The session was learned, and a version of the baseline is to be published with it. */
  publicationDue: boolean;
  /** The session as a whole; undefined where there is nothing to say about it. */
  finished: FinishedFacts | undefined;
}

export interface RegistryOptions {
  /** Per-install secret, 32 bit: the one that keyed the observations' hashes. */
  seed: number;
  budgets: Budgets;
  prior: Prior;
  /** Class of agents that an agent leans on while it is new, '' for those of no class; one class unless given. */
  peersOf?: (agentId: string) => string;
  /** How baselines learn; the defaults unless given. */
  learning?: Learning;
  limits: { maxAgents: number; maxSessions: number };
  /** Which partition it is, of how many that give each other what they learn; the only one unless given. */
  place?: PartitionPlace;
  /** No thresholds are computed: for baselines that are made to be adopted elsewhere. */
  learnsOnly?: boolean;
  load: (key: string) => Uint8Array | undefined;
  /** Everything the store holds under a prefix. */
  entries: (prefix: string) => Iterable<{ key: string; value: Uint8Array }>;
}

/** What baselines are made with. */
export type BaselineSetup = Pick<RegistryOptions, 'seed' | 'budgets' | 'prior' | 'learning'>;

/** Counters since the start, and sizes now. */
export interface RegistryStats {
  agents: number;
  /** Agents whose baseline gave way to newer ones. */
  agentsDropped: number;
  openSessions: number;
  /** Sessions that gave way to newer ones, unlearned. */
  sessionsEvicted: number;
  /** Closed sessions that were not learned. */
  sessionsDiscarded: number;
  /** Those of them that nobody had judged in time. */
  sessionsUnreviewed: number;
  incidentsInQuarantine: number;
  /** Quarantined sessions or incidents that found no room. */
  quarantineDropped: number;
  /** Whole states of published versions, their bytes, and how many gave way to others. */
  versionsKept: number;
  versionBytes: number;
  versionsDropped: number;
  /** Series of metric samples, and how many gave way to others. */
  metricSeries: number;
  metricSeriesEvicted: number;
}

/** What of a call the user did not name. */
export interface CallNovelty {
  /** Targets that this agent never dealt with, by their place in the call, with their surprise in nats. */
  targets: readonly { index: number; nats: number }[];
  /** Keyed hashes of argument words. */
  words: readonly number[];
}

/** What the learned sessions of one agent used. */
export interface AgentUsage {
  /** Learned sessions. */
  sessions: number;
  /** Sessions by the name of the tool they used. */
  tools: ReadonlyMap<string, number>;
  /** Tools whose names were too many to be kept. */
  unnamedTools: number;
}

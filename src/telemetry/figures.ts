import type { PartState } from '../model/health.js';

/** Numbers by the value of one label. The keys come from this program and its configuration, never from records. */
export type ByName = Readonly<Record<string, number>>;

/** What deliveries of one kind have done since the start. */
export interface DeliveryFigures {
  delivered: number;
  retries: number;
  /** News that did not fit, or came too late. */
  missed: number;
  failingSince?: number | undefined;
}

/** Numbers that the service knows of itself: what metrics show. Counters count since the start. */
export interface Figures {
  version: string;
  mode: string;
  nowMs: number;
  isReady: boolean;
  isDraining: boolean;
  parts: Readonly<Record<string, PartState>>;
  log: { head: number; storedBytes: number };
  scoring: {
    backlog: number;
    lagMs: number;
    /** Ticks of processing time that went all the way. */
    ticks: number;
    /** How far the slowest tenant's watermark is behind the clock; undefined before the first event. */
    watermarkDelayMs: number | undefined;
    records: number;
    observations: number;
    checkpoints: number;
    incidents: number;
    /** What scoring passed over, by reason. */
    dropped: ByName;
    sessionsLearned: number;
    sessionsQuarantined: number;
  };
  held: ByName;
  evicted: ByName;
  intake: {
    accepted: number;
    refused: number;
    deadLetters: number;
    bytes: number;
    pendingBytes: number;
    requestsRefused: ByName;
    shedObservations: number;
    shedPayloads: number;
  };
  detectorFailures: number;
  detectorsDisabled: number;
  incidentsOpen: ByName;
  commands: ByName;
  /** Commands given out that no gateway has confirmed although the time for it is over. */
  commandsUnconfirmed: number;
  approvalsWaiting: number;
  falseAlarms: readonly { agentClass: string; rate: number; low: number; budget: number }[];
  checks: { waiting: number; timedOut: number };
  http: ByName;
  streamsOpened: number;
  store: {
    isUp: boolean;
    failingSince?: number | undefined;
    logBacklog: number;
    outboxBacklog: number;
    rows: number;
    retries: number;
    refusedRows: number;
    lostRecords: number;
    engineRestarts: number;
  };
  /** Topics of others, by the id of their source. */
  topics: { lag: ByName; records: ByName; failed: ByName };
  webhooks: Readonly<Record<string, DeliveryFigures>>;
  mail: DeliveryFigures | undefined;
  heartbeat: { results: ByName; lastSentMs: number | undefined };
}

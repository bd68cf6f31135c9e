import type { ArchivedVersion, BaselineVersion } from '../model/baseline.js';
import type { ContentRead } from '../model/content-read.js';
import type { CommandEvent } from '../model/command.js';
import type { Incident } from '../model/incident.js';
import type { DeadLetter } from '../model/log-record.js';
import type { Observation, Payload, Stream } from '../model/observation.js';

/** How far storing is behind, and why. Shown at `/v1/status`. */
export interface StoreStatus {
  /** Position of the last log record that is in ClickHouse (or needs no storing). */
  logPosition: number;
  /** Committed log records not yet stored. */
  logBacklog: number;
  /** Outbox sequence of the last effect that is in ClickHouse. */
  outboxSequence: number;
  outboxBacklog: number;
  /** Rows written since the start, retries not counted twice. */
  storedRows: number;
  /** Failed attempts since the start. */
  retries: number;
  /** Rows the engine refused; each lies in `dead_letters` with its cause. */
  refusedRows: number;
  /** Refused rows whose dead letter was refused too. */
  unstorableRows: number;
  /** Records that retention had dropped before they could be stored. */
  lostRecords: number;
  /** Why the current attempt fails; absent while all is well. */
  lastError?: string;
  /** Since when it fails, epoch ms. */
  failingSince?: number;
}

/** How far whole baseline states are archived. Counters since the start. */
export interface ArchiveStatus {
  archived: number;
  /** Size of what was archived, packed. */
  archivedChars: number;
  /** Kept versions that are not archived yet. */
  pending: number;
  /** Gave way to newer ones before they could be archived. */
  missed: number;
  /** The engine refused; each lies in `dead_letters`. */
  refused: number;
  /** Too large to be archived. */
  oversized: number;
  retries: number;
  lastError?: string;
  /** Epoch ms. */
  failingSince?: number;
}

/** An archived state as it was sealed. */
export interface ArchivedState extends ArchivedVersion {
  format: number;
  seal: string;
  /** As `packBytes` made it. */
  state: string;
}

/** One hour of an agent's observations, by arrival. */
export interface ObservationHour {
  /** Begin, epoch ms. */
  from: number;
  observations: number;
}

/** Exact by id: an observation stored twice counts once. */
export interface ObservationCount {
  agentId: string;
  stream: Stream;
  observations: number;
}

export interface StoredDeadLetter extends DeadLetter {
  /** Log position of the record; 0 where it never reached the log. */
  position: number;
}

/** What people ask ClickHouse through the API. All reads are bound to one tenant. */
export interface StoreQueries {
  /** Distinct observations per agent and stream, by event time `[from, to)`, epoch ms. */
  observationCounts(filter: {
    tenant: string;
    from?: number;
    to?: number;
    limit?: number;
  }): Promise<ObservationCount[]>;
  /** Distinct observation ids of a tenant. */
  distinctObservations(tenant: string): Promise<number>;
  /** Newest first. */
  deadLetters(filter: { tenant: string; limit: number }): Promise<StoredDeadLetter[]>;
  /** Latest state of each incident, newest first; `before` is an `openedAt` to continue from. */
  incidents(filter: { tenant: string; agentId?: string; before?: number; limit: number }): Promise<Incident[]>;
  incident(tenant: string, id: string): Promise<Incident | undefined>;
  /** Steps in a command's life, oldest first. */
  commandEvents(tenant: string, commandId: string): Promise<CommandEvent[]>;
  /** Newest version of each feature, all features of one version, or all of one feature's versions. */
  baselineVersions(filter: {
    tenant: string;
    agentId: string;
    feature?: string;
    version?: number;
    limit: number;
  }): Promise<BaselineVersion[]>;
  readonly archive: ArchiveReads;
  readonly history: ObservationReads;
  readonly content: ContentReads;
}

/** Content, and who read it. */
export interface ContentReads {
  payload(tenant: string, id: string): Promise<Payload | undefined>;
  /** Newest first. */
  reads(filter: { tenant: string; limit: number }): Promise<ContentRead[]>;
}

/** Whole states of versions. */
export interface ArchiveReads {
  /** Without the states, latest archived first. */
  versions(filter: { tenant: string; agentId: string; version?: number; limit: number }): Promise<ArchivedVersion[]>;
  state(filter: {
    tenant: string;
    agentId: string;
    version: number;
    stateId: string;
  }): Promise<ArchivedState | undefined>;
  /** What a tenant's agents had in common: the latest state archived by then (epoch ms) under the install secret. */
  tenantState(filter: { tenant: string; seedPrint: string; before: number }): Promise<ArchivedState | undefined>;
}

/** An agent's observations in the order in which they came. */
export interface ObservationReads {
  /** Hours in which observations arrived, in order. */
  hours(filter: ObservationFilter): Promise<ObservationHour[]>;
  /** The next ones that arrived within the hour; one may come twice. */
  page(
    filter: ObservationFilter & { hour: number; after: ObservationPlace; limit: number },
  ): Promise<{ observations: Observation[]; next: ObservationPlace }>;
}

/** Event time within `[since, until)`, epoch ms. */
export interface ObservationFilter {
  tenant: string;
  agentId: string;
  since: number;
  until: number;
}

/** Where an observation lies among those of its agent: by minute of arrival (epoch ms), then in the log. */
export interface ObservationPlace {
  minute: number;
  position: number;
}

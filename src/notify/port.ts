import type { Command } from '../model/command.js';
import type { Incident, Severity } from '../model/incident.js';

/** Something that people should be told, before it is put into any medium's words. */
export type Notice = IncidentNotice | SummaryNotice;

export interface IncidentNotice {
  kind: 'opened' | 'updated' | 'resolved';
  /** Stable: a repeated try carries the same one, so that a duplicate can be recognised. */
  key: string;
  /** Key of the first message about the same incident. */
  threadKey: string;
  /** The same in all messages about an incident; some programs put messages together by it. */
  subject: string;
  incident: Incident;
  commands: readonly Command[];
  /** What is new since the last message, one line each. */
  changes: readonly string[];
}

/** Messages that were not sent one by one. */
export interface SummaryNotice {
  kind: 'summary';
  key: string;
  leftOut: LeftOut;
}

export interface LeftOut {
  /** Time of the first one, epoch ms. */
  since: number;
  count: number;
  /** How many for which reason: above the limit, refused by the other side, incident no longer held here. */
  reasons: { rate: number; refused: number; gone: number };
  /** The first of them; the rest is only counted. */
  lines: LeftOutLine[];
}

export interface LeftOutLine {
  incidentId: string;
  severity: Severity;
  subject: string;
}

/** One way to reach people. */
export interface Channel {
  /** Lower-case letters, digits and hyphens; part of stored names. */
  readonly name: string;
  /**
   * Delivers one notice.
   *
   * @returns what the other side answered
   * @throws RefusedError when this very message will never be taken; anything else is worth another try
   */
  send(notice: Notice, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

/** The other side took offence at this message; the same message will be refused again. */
export class RefusedError extends Error {
  override name = 'RefusedError';
}

/** What `/v1/status` shows of a channel. */
export interface ChannelStatus {
  /** Outbox entries not looked at yet. */
  unread: number;
  /** Messages that wait for their turn or for the channel. */
  waiting: number;
  sent: number;
  retries: number;
  /** Messages that went into a summary, or will. */
  leftOut: number;
  /** Incidents that are followed no longer because there were too many. */
  forgotten: number;
  /** Outbox entries that retention removed before they were read. */
  missed: number;
  lastAnswer?: string;
  lastError?: string;
  /** Epoch ms. */
  failingSince?: number;
}

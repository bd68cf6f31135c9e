import type { Log, LogEntry, ScoringStore } from '../log/port.js';
import type { Effect, OutboxEntry } from '../model/effect.js';
import type { LogRecordType } from '../model/log-record.js';
import type { Row } from './row.js';

/** An ordered source that storing follows: the log, or the outbox. */
export interface Feed {
  /** Name of its cursor. */
  readonly name: string;
  readonly head: number;
  /** Place of the oldest item still held. */
  readonly tail: number;
  /** Items after `place`, at most `max`, oldest first; `bytes` is their rough size in memory. */
  read(place: number, max: number): FeedItem[];
  waitBeyond(place: number, signal: AbortSignal): Promise<void>;
}

export interface FeedItem {
  place: number;
  bytes: number;
  /** Absent for what is not stored. */
  row: Row | undefined;
}

const TABLE_BY_RECORD: Partial<Record<LogRecordType, string>> = {
  observation: 'observations',
  payload: 'payloads',
  'dead-letter': 'dead_letters',
  'content-read': 'content_reads',
  erasure: 'erasures',
};

const TABLE_BY_EFFECT: Record<Exclude<Effect['type'], 'allowance'>, string> = {
  signal: 'signals',
  incident: 'incidents',
  command: 'commands',
  'command-event': 'command_events',
  restriction: 'restrictions',
  hold: 'holds',
  'fleet-lift': 'fleet_lifts',
  baseline: 'baseline_versions',
  window: 'windows',
};

export type LogSource = Pick<Log, 'head' | 'tail' | 'read' | 'waitBeyond'>;
export type OutboxSource = Pick<ScoringStore, 'outbox' | 'outboxHead' | 'waitForOutbox'>;

/** Observations, payloads, dead letters and reads of content of one partition's log. */
export function logFeed(log: LogSource, partition: number): Feed {
  return {
    name: 'store-log',
    get head() {
      return log.head;
    },
    get tail() {
      return log.tail;
    },
    read: (place, max) => log.read(place + 1, max).map((entry) => logItem(entry, partition)),
    waitBeyond: (place, signal) => log.waitBeyond(place, signal),
  };
}

function logItem(entry: LogEntry, partition: number): FeedItem {
  const place = entry.position;
  const table = TABLE_BY_RECORD[entry.type];
  if (table === undefined) return { place, bytes: 0, row: undefined };
  const lead = `"position":${place},"partition":${partition}`;
  return { place, bytes: entry.data.length, row: { table, place, lead, json: entry.data } };
}

/** The effects that scoring has committed. */
export function outboxFeed(store: OutboxSource, partition: number): Feed {
  return {
    name: 'store-outbox',
    get head() {
      return store.outboxHead;
    },
    // The outbox skips what was trimmed by itself.
    tail: 1,
    read: (place, max) => store.outbox(place, max).map((entry) => outboxItem(entry, partition)),
    waitBeyond: (place, signal) => store.waitForOutbox(place, signal),
  };
}

function outboxItem(entry: OutboxEntry, partition: number): FeedItem {
  const { sequence: place, effect } = entry;
  if (effect.type === 'allowance') return { place, bytes: 0, row: undefined };
  const json = Buffer.from(JSON.stringify(effect.value));
  const lead = `"sequence":${place},"partition":${partition}`;
  return { place, bytes: json.length, row: { table: TABLE_BY_EFFECT[effect.type], place, lead, json } };
}

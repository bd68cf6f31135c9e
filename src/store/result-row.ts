import type { ArchivedVersion, BaselineVersion } from '../model/baseline.js';
import { COMMAND_STATES, type CommandEvent } from '../model/command.js';
import { INCIDENT_STATUSES, SEVERITIES, type Incident, type TimelineEntry } from '../model/incident.js';
import type { Signal } from '../model/signal.js';
import { integer, list, oneOf, optionalText, real, text, texts, type RawRow } from './column.js';
import type { ArchivedState, StoredDeadLetter } from './port.js';

export function deadLetter(row: RawRow): StoredDeadLetter {
  return {
    id: text(row, 'id'),
    time: integer(row, 'timeMs'),
    tenant: text(row, 'tenant'),
    principalId: text(row, 'principalId'),
    field: text(row, 'field'),
    reason: text(row, 'reason'),
    hash: text(row, 'hash'),
    excerpt: text(row, 'excerpt'),
    position: integer(row, 'position'),
  };
}

export function commandEvent(row: RawRow): CommandEvent {
  return {
    id: text(row, 'id'),
    commandId: text(row, 'commandId'),
    tenant: text(row, 'tenant'),
    agentId: text(row, 'agentId'),
    time: integer(row, 'timeMs'),
    state: oneOf(row, 'state', COMMAND_STATES),
    by: text(row, 'by'),
    detail: text(row, 'detail'),
  };
}

export function baselineVersion(row: RawRow): BaselineVersion {
  return {
    tenant: text(row, 'tenant'),
    agentId: text(row, 'agentId'),
    feature: text(row, 'feature'),
    version: integer(row, 'version'),
    time: integer(row, 'timeMs'),
    sampleCount: integer(row, 'sampleCount'),
    sessionCount: integer(row, 'sessionCount'),
    status: oneOf(row, 'status', ['warming', 'learning', 'frozen'] as const),
    state: text(row, 'state'),
  };
}

export function archivedVersion(row: RawRow): ArchivedVersion {
  return {
    version: integer(row, 'version'),
    time: integer(row, 'timeMs'),
    sessionCount: integer(row, 'sessionCount'),
    bytes: integer(row, 'bytes'),
    ...JSON.parse(text(row, 'origin')),
    stateId: text(row, 'stateId'),
    archivedAt: integer(row, 'archivedAtMs'),
    seedPrint: text(row, 'seedPrint'),
  };
}

export function archivedState(row: RawRow): ArchivedState {
  const { format, seal, state } = {
    format: integer(row, 'format'),
    seal: text(row, 'seal'),
    state: text(row, 'state'),
  };
  return { ...archivedVersion(row), format, seal, state };
}

export function incident(row: RawRow): Incident {
  const signals: Signal[] = JSON.parse(text(row, 'signals') || '[]');
  const openedSeq = row['openedSeq'];
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    agentId: text(row, 'agentId'),
    ...optionalText(row, 'sessionId'),
    openedAt: integer(row, 'openedAtMs'),
    updatedAt: integer(row, 'updatedAtMs'),
    status: oneOf(row, 'status', INCIDENT_STATUSES),
    severity: oneOf(row, 'severity', SEVERITIES),
    title: text(row, 'title'),
    riskNats: real(row, 'riskNats'),
    thresholdNats: real(row, 'thresholdNats'),
    budget: real(row, 'budget'),
    calibrationGroups: integer(row, 'calibrationGroups'),
    ...(openedSeq === null || openedSeq === undefined ? {} : { openedSeq: integer(row, 'openedSeq') }),
    arithmetic: list(row, 'arithmetic').map((term) => ({ label: text(term, 'label'), nats: real(term, 'nats') })),
    signals,
    timeline: list(row, 'timeline').map(timelineEntry),
    emitters: texts(row, 'emitters'),
    violation: row['violation'] === true,
    commandIds: texts(row, 'commandIds'),
    ...optionalText(row, 'verdict'),
    ...optionalText(row, 'closedBy'),
    ...(text(row, 'fleet') === '' ? {} : { fleet: JSON.parse(text(row, 'fleet')) }),
    ...optionalText(row, 'gatheredBy'),
  };
}

const TIMELINE_STREAMS = ['reasoning', 'action', 'governance', 'metric', 'parallax'] as const;

function timelineEntry(row: RawRow): TimelineEntry {
  return {
    time: integer(row, 'time'),
    stream: oneOf(row, 'stream', TIMELINE_STREAMS),
    text: text(row, 'text'),
    refId: text(row, 'refId'),
  };
}

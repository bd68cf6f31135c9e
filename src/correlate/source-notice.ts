import { stableId } from '../lib/hash.js';
import type { Incident, Severity, TimelineEntry } from '../model/incident.js';
import type { Signal } from '../model/signal.js';
import { SOURCE_INTEGRITY, type SourceTrouble, type SourceTroubleKind } from '../model/source-trouble.js';

const MAX_TIMELINE = 40;

/**
 * What each trouble weighs: a judgement of ours and no statistics. Speaking for others, or with a signature that does not
 * hold, has hardly a harmless cause; a gap or a silence often is a restart.
 */
const WEIGHTS: Readonly<Record<SourceTroubleKind, { nats: number; severity: Severity }>> = {
  'bad-signature': { nats: 12, severity: 'high' },
  'forged-agent': { nats: 12, severity: 'high' },
  replay: { nats: 9, severity: 'high' },
  shed: { nats: 7, severity: 'high' },
  gap: { nats: 5, severity: 'medium' },
  silent: { nats: 5, severity: 'medium' },
  unreadable: { nats: 5, severity: 'medium' },
};

/**
 * The signal of a trouble with an emitter, and the incident that it belongs to, made or brought up to date. No session
 * owns it: what is wrong is the source, and a verdict on an agent says nothing about that.
 *
 * @param find an incident of the same tenant by its id
 * @returns undefined where people have closed the incident of this run of trouble already
 */
export function sourceNotice(
  trouble: SourceTrouble,
  find: (id: string) => Incident | undefined,
): { signal: Signal; incident: Incident; isNew: boolean } | undefined {
  const { tenant, principalId, kind, since, time, detail } = trouble;
  const id = stableId('inc', tenant, principalId, kind, trouble.stream ?? '', since);
  const held = find(id);
  if (held?.status === 'closed') return undefined;
  const { nats, severity } = WEIGHTS[kind];
  const signal = signalOf(trouble, nats);
  const line: TimelineEntry = { time, stream: 'parallax', text: detail, refId: trouble.id };
  const incident: Incident = {
    id,
    tenant,
    agentId: signal.agentId,
    openedAt: held?.openedAt ?? time,
    updatedAt: Math.max(time, held?.updatedAt ?? 0),
    status: 'open',
    severity,
    title: `source integrity: ${detail}`,
    riskNats: nats,
    thresholdNats: 0,
    budget: 0,
    calibrationGroups: 0,
    arithmetic: [{ label: `${SOURCE_INTEGRITY}: ${kind}`, nats }],
    // One run of trouble is one finding: its latest report stands for it.
    signals: [signal],
    timeline: [...(held?.timeline ?? []), line].slice(-MAX_TIMELINE),
    emitters: [principalId],
    violation: false,
    commandIds: [],
  };
  return { signal, incident, isNew: held === undefined };
}

function signalOf(trouble: SourceTrouble, nats: number): Signal {
  const { id, tenant, principalId, kind, time, stream, count, detail } = trouble;
  return {
    id: stableId('sig', SOURCE_INTEGRITY, id),
    detectorId: SOURCE_INTEGRITY,
    tenant,
    // Not the agent it spoke for: whoever forges must not put another's agent under suspicion.
    agentId: `source/${principalId}`,
    time,
    causeId: id,
    streams: stream === undefined ? [] : [stream],
    emitters: [principalId],
    pValue: Math.exp(-nats),
    sampleSize: 0,
    nats,
    ingredient: false,
    violation: false,
    shadow: false,
    observed: `${kind}: ${count}`,
    expected: EXPECTED[kind],
    reason: detail,
    baselineVersion: 0,
    evidenceIds: [id],
    tags: [SOURCE_INTEGRITY, kind],
  };
}

const EXPECTED: Readonly<Record<SourceTroubleKind, string>> = {
  'bad-signature': 'batches signed with a key of this emitter',
  'forged-agent': 'only agents that the key is bound to',
  replay: 'each sequence number once, rising',
  shed: 'no more records than the quota',
  gap: 'sequence numbers or offsets that rise by one',
  silent: 'news within the time that is configured',
  unreadable: 'topics and records that can be read',
};

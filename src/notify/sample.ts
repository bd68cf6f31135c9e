import type { Incident } from '../model/incident.js';
import type { IncidentNotice } from './port.js';

/**
 * A made-up incident that shows what a message looks like.
 *
 * @param now time at which it happened, epoch ms; also tells samples apart
 */
export function sampleNotice(now: number): IncidentNotice {
  const id = `sample-${now}`;
  const openedAt = now - 20_000;
  const line = (agoMs: number, stream: 'reasoning' | 'action' | 'governance' | 'metric', text: string) => ({
    time: now - agoMs,
    stream,
    text,
    refId: `sample-${agoMs}`,
  });
  const incident: Incident = {
    id,
    tenant: 'default',
    agentId: 'sample-agent',
    sessionId: 'sample-session',
    openedAt,
    updatedAt: now,
    status: 'open',
    severity: 'high',
    title: 'This is a test: send_money to a destination this agent never used',
    riskNats: 9.4,
    thresholdNats: 6.2,
    budget: 0.01,
    calibrationGroups: 140,
    arithmetic: [
      { label: 'tool not expected for this request', nats: 4.1 },
      { label: 'argument from an untrusted source', nats: 3.2 },
      { label: 'new target', nats: 2.1 },
    ],
    signals: [
      {
        id: 'sample-signal',
        detectorId: 'new-target',
        tenant: 'default',
        agentId: 'sample-agent',
        sessionId: 'sample-session',
        time: openedAt,
        causeId: 'sample-20000',
        tool: 'send_money',
        streams: ['action'],
        emitters: ['gateway', 'agent-runtime'],
        pValue: 0.002,
        sampleSize: 140,
        nats: 6.2,
        ingredient: false,
        violation: false,
        shadow: false,
        observed: 'send_money to an account from a mail',
        expected: 'read_mail, list_invoices',
        reason: 'send_money takes its account from a mail that nobody asked for',
        baselineVersion: 1,
        evidenceIds: ['sample-22000', 'sample-20000'],
        tags: ['ASI01'],
      },
    ],
    timeline: [
      line(58_000, 'reasoning', 'the user asks (38 characters)'),
      line(52_000, 'reasoning', 'the model answers (120 characters), announces read_mail'),
      line(51_000, 'action', 'read_mail (read): allowed'),
      line(44_000, 'metric', 'tokens 1200, cost 0.01'),
      line(39_000, 'governance', 'policy change'),
      line(22_000, 'reasoning', 'the model answers (90 characters), announces send_money'),
      line(20_000, 'action', 'asks to write with send_money account (from result)'),
      line(4_000, 'metric', 'tokens 1900, cost 0.02'),
    ],
    emitters: ['gateway', 'agent-runtime'],
    violation: false,
    commandIds: [],
  };
  const key = `${id}.opened`;
  const subject = '[Parallax] test message: mail works';
  return { kind: 'opened', key, threadKey: key, subject, incident, commands: [], changes: [] };
}

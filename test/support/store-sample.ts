import type { BaselineVersion } from '../../src/model/baseline.js';
import type { Command, CommandEvent, Restriction } from '../../src/model/command.js';
import type { Effect } from '../../src/model/effect.js';
import type { DeadLetter } from '../../src/model/log-record.js';
import type { Observation, ObservationBase, Payload } from '../../src/model/observation.js';
import type { WindowSummary } from '../../src/model/window.js';
import { sampleFleetLift, sampleHold, sampleIncident, sampleSignal } from './samples.js';

/** 2026-01-15, noon. */
export const SAMPLE_TIME_MS = 1_768_478_400_000;

const hashes = (n: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (n * 2_654_435_761 + i * 40_503) >>> 0);

/** The nth of an endless series of observations: all kinds, 1,000 agents with 10 sessions each. */
export function sampleObservation(n: number, observedAt = SAMPLE_TIME_MS): Observation {
  const session = Math.floor(n / 8) % 10_000;
  const base: ObservationBase = {
    id: `obs_${n.toString(16).padStart(12, '0')}`,
    schemaVersion: 1,
    time: SAMPLE_TIME_MS + n,
    observedAt,
    tenant: 'default',
    agentId: `agent-${session % 1000}`,
    principalId: n % 2 === 0 ? 'gateway-1' : 'runtime-1',
    sessionId: `session-${session}`,
    traceId: `trace-${session}`,
    seq: n % 8,
  };
  switch (n % 8) {
    case 0:
      return { ...base, stream: 'reasoning', kind: 'prompt', chars: 240, words: hashes(n, 30), values: hashes(n, 4) };
    case 1:
    case 5:
      return {
        ...base,
        stream: 'reasoning',
        kind: 'message',
        chars: 120,
        tokens: 40,
        model: 'model-a',
        declared: [{ callId: `call-${n + 1}`, tool: 'send_mail' }, { tool: 'search' }],
        words: hashes(n, 20),
      };
    case 2:
    case 6:
      return {
        ...base,
        stream: 'action',
        kind: 'tool_call',
        callId: `call-${n}`,
        tool: 'send_mail',
        operation: 'send',
        effect: 'write',
        tier: 'approval',
        targets: [
          {
            field: 'to',
            kind: 'email',
            value: `someone-${n % 50}@example.com`,
            hash: hashes(n, 1)[0] ?? 0,
            words: hashes(n, 2),
            origin: 'prompt',
            originCall: `call-${n - 1}`,
            originTool: 'search',
          },
        ],
        argWords: hashes(n, 12),
        argBytes: 300,
        decision: 'allow',
        rawDecision: 'ALLOW',
        reason: 'the policy allows it, with "quotes" and a line\nbreak',
        ruleId: 'rule-7',
        policyVersion: '12',
        resultClass: 1,
      };
    case 3:
    case 7:
      return {
        ...base,
        stream: 'action',
        kind: 'tool_result',
        callId: `call-${n - 1}`,
        tool: 'send_mail',
        resultClass: 1,
        values: hashes(n, 10),
      };
    default:
      return n % 16 === 4
        ? { ...base, stream: 'metric', kind: 'sample', values: { latencyMs: 12.5, costUsd: n / 1000 } }
        : {
            ...base,
            stream: 'governance',
            kind: 'grant',
            tools: ['search', 'send_mail'],
            expiresAt: SAMPLE_TIME_MS + 9,
          };
  }
}

/** One effect of every type with every field filled in. */
export function sampleEffects(n: number): Effect[] {
  const who = { tenant: 'default', agentId: 'agent-a' };
  const command: Command = {
    ...who,
    id: `cmd_${n}`,
    action: 'freeze-tool',
    sessionId: 's1',
    tool: 'send_mail',
    incidentId: `inc_${n}`,
    reason: 'because',
    issuedAt: SAMPLE_TIME_MS,
    expiresAt: SAMPLE_TIME_MS + 1,
    dryRun: false,
    state: 'sent',
    acknowledgements: [{ gatewayId: 'gateway-1', effective: 'enforced', time: SAMPLE_TIME_MS }],
    issuedBy: 'parallax',
    waitsFor: 'cap',
    containMs: 1,
    onTimeout: 'escalate',
    sentAt: SAMPLE_TIME_MS,
    liftedAt: SAMPLE_TIME_MS,
    awaits: ['gateway-1'],
    deliveries: 2,
    deliveredAt: SAMPLE_TIME_MS,
    blockedAt: SAMPLE_TIME_MS,
    bypassedBy: ['gateway-2'],
  };
  const event: CommandEvent = {
    ...who,
    id: `cev_${n}`,
    commandId: `cmd_${n}`,
    time: SAMPLE_TIME_MS,
    state: 'sent',
    by: 'parallax',
    detail: 'sent to one gateway',
  };
  const restriction: Restriction = {
    ...who,
    version: n + 1,
    revokedSessions: [{ sessionId: 's1', commandId: `cmd_${n}`, expiresAt: SAMPLE_TIME_MS, reason: 'r' }],
    frozenTools: [{ tool: 'send_mail', commandId: `cmd_${n}`, expiresAt: SAMPLE_TIME_MS, reason: 'r' }],
  };
  const baseline: BaselineVersion = {
    ...who,
    feature: 'tools',
    version: n + 1,
    time: SAMPLE_TIME_MS,
    sampleCount: 10,
    sessionCount: 3,
    status: 'learning',
    state: '{"search":7}',
  };
  const window: WindowSummary = {
    ...who,
    id: `win_${n}`,
    sessionId: 's1',
    start: SAMPLE_TIME_MS,
    end: SAMPLE_TIME_MS + 60_000,
    revision: 0,
    streams: { reasoning: 'present', action: 'present', governance: 'silent', metric: 'late' },
    counts: {
      prompts: 1,
      messages: 2,
      declared: 3,
      calls: 4,
      writes: 5,
      denied: 6,
      errors: 7,
      governance: 8,
      metrics: 9,
      tokens: 10,
      late: 11,
    },
    declaredNotAttempted: ['call-1'],
    attemptedNotDeclared: ['call-2'],
    emitters: ['gateway-1'],
  };
  const incident = sampleIncident({
    id: `inc_${n}`,
    openedAt: SAMPLE_TIME_MS + n,
    updatedAt: SAMPLE_TIME_MS + n,
    openedSeq: 4,
    timeline: [{ time: SAMPLE_TIME_MS, stream: 'action', text: 'send_mail', refId: 'obs_1' }],
    commandIds: [`cmd_${n}`],
    verdict: 'true-positive',
    closedBy: 'ann',
    fleet: { agentClass: 'support', nature: 'campaign', agents: 4, peers: 12, incidentIds: [`inc_${n}`] },
    gatheredBy: 'inc_0',
  });
  return [
    { type: 'signal', value: sampleSignal({ id: `sig_${n}`, seq: 4, callId: 'call-1' }) },
    { type: 'incident', value: incident },
    { type: 'command', value: command },
    { type: 'command-event', value: event },
    { type: 'restriction', value: restriction },
    {
      type: 'fleet-lift',
      value: sampleFleetLift({
        id: `lift_${n}`,
        decidedBy: 'ann',
        decisionReason: 'checked',
        decidedAt: SAMPLE_TIME_MS,
      }),
    },
    {
      type: 'hold',
      value: sampleHold({ id: `hold_${n}`, usedBy: 'obs_1', decidedBy: 'ann', decisionReason: 'known' }),
    },
    { type: 'baseline', value: baseline },
    { type: 'window', value: window },
  ];
}

export function samplePayload(n: number): Payload {
  return {
    id: `obs_${n.toString(16).padStart(12, '0')}`,
    tenant: 'default',
    agentId: 'agent-a',
    sessionId: 's1',
    time: SAMPLE_TIME_MS + n,
    content: '{"text":"hello"}',
  };
}

export function sampleDeadLetter(n: number): DeadLetter {
  return {
    id: `dl_${n}`,
    time: SAMPLE_TIME_MS + n,
    tenant: 'default',
    principalId: 'gateway-1',
    field: 'time',
    reason: 'is no number',
    hash: 'ab'.repeat(32),
    excerpt: '{"time":"soon"}',
  };
}

export const jsonBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

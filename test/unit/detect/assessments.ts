import type { Assessment, Measure, SessionFacts } from '../../../src/detect/port.js';
import type { Effect, Observation, Target } from '../../../src/model/observation.js';
import type { Window } from '../../../src/model/window.js';
import { QUIET_SESSION } from '../../support/quiet-session.js';

const CALM_SESSION: SessionFacts = { ...QUIET_SESSION, prompts: 1, messages: 1, ageMs: 1000 };

type ShortTarget = Pick<Target, 'field' | 'kind' | 'value' | 'origin'>;

/** A call of agent `a1` in session `s1`, with only what the test cares about spelled out. */
export function assessCall(options: {
  id?: string;
  callId?: string;
  sessionId?: string | null;
  tool?: string;
  effect?: Effect;
  kind?: 'tool_call' | 'tool_attempt';
  targets?: ShortTarget[];
  session?: Partial<SessionFacts>;
  measures?: Record<string, Measure>;
}): Assessment {
  const base = {
    id: options.id ?? 'obs-1',
    schemaVersion: 1 as const,
    time: 1_700_000_000_000,
    observedAt: 1_700_000_000_500,
    tenant: 't1',
    agentId: 'a1',
    principalId: 'gateway-1',
    stream: 'action' as const,
    tool: options.tool ?? 'read_file',
    effect: options.effect ?? 'read',
    targets: (options.targets ?? []).map((target) => ({ ...target, hash: 1, words: [1] })),
    argWords: [],
    argBytes: 10,
    ...(options.callId === undefined ? {} : { callId: options.callId }),
    ...(options.sessionId === null ? {} : { sessionId: options.sessionId ?? 's1' }),
  };
  const observation: Observation =
    options.kind === 'tool_attempt'
      ? { ...base, kind: 'tool_attempt', decision: 'none' }
      : { ...base, kind: 'tool_call', decision: 'allow' };
  return assess(observation, options.session, options.measures);
}

export function assessMetric(values: Record<string, number>): Assessment {
  return assess({
    id: 'obs-m',
    schemaVersion: 1,
    time: 1,
    observedAt: 1,
    tenant: 't1',
    agentId: 'a1',
    principalId: 'metrics-1',
    stream: 'metric',
    kind: 'sample',
    values,
  });
}

export function assess(
  observation: Observation,
  session: Partial<SessionFacts> = {},
  measures: Record<string, Measure> = {},
): Assessment {
  return {
    observation,
    measures: new Map(Object.entries(measures)),
    terms: [],
    session: { ...CALM_SESSION, ...session },
    governance: undefined,
    emitters: [observation.principalId],
    evidenceIds: [observation.id],
    baselineVersion: 7,
  };
}

export function windowOf(options: Partial<Window> = {}): Window {
  return {
    id: 'win-1',
    tenant: 't1',
    agentId: 'a1',
    sessionId: 's1',
    start: 60_000,
    end: 120_000,
    revision: 0,
    streams: { reasoning: 'present', action: 'present', governance: 'silent', metric: 'silent' },
    declaredNotAttempted: [],
    attemptedNotDeclared: [],
    emitters: ['gateway-1', 'model-1'],
    evidenceIds: ['obs-1', 'obs-2'],
    ...options,
    counts: {
      prompts: 0,
      messages: 0,
      declared: 0,
      calls: 0,
      writes: 0,
      denied: 0,
      errors: 0,
      governance: 0,
      metrics: 0,
      tokens: 0,
      late: 0,
      ...options.counts,
    },
  };
}

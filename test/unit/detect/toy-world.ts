import type { CaseStep } from '../../../src/detect/case-session.js';
import type { CaseWorld } from '../../../src/detect/cases.js';
import type { Assessment, DetectorRunner, Measure, SessionFacts } from '../../../src/detect/port.js';
import type { Observation, Origin } from '../../../src/model/observation.js';
import type { Signal } from '../../../src/model/signal.js';
import type { CheckRequest, WireObservation } from '../../../src/model/wire.js';
import { windowOf } from './assessments.js';
import { QUIET_SESSION } from '../../support/quiet-session.js';

/**
 * A stand-in for intake and baselines, just clever enough to play cases: plain counts, one window per minute. It says
 * nothing about how good the real measures are; it shows that detectors and cases fit together.
 */
export class ToyWorld implements CaseWorld {
  readonly #runner: DetectorRunner;
  readonly #history = new Counts();
  #session = new ToySession();

  constructor(runner: DetectorRunner) {
    this.#runner = runner;
  }

  async learn(session: readonly CaseStep[]): Promise<void> {
    this.#session = new ToySession();
    for (const step of session) {
      const observation = observe(step);
      for (const key of this.#session.facts(observation)) this.#history.add(key);
      this.#session.add(step, observation);
    }
    this.#session = new ToySession();
  }

  async play(step: CaseStep): Promise<Signal[]> {
    const observation = observe(step);
    const assessment: Assessment = {
      observation,
      measures: this.#measures(observation),
      terms: [],
      session: this.#session.sessionFacts(observation),
      governance: undefined,
      emitters: [observation.principalId],
      evidenceIds: [observation.id],
      baselineVersion: 1,
    };
    const signals = this.#runner.event(assessment);
    this.#session.add(step, observation);
    return signals;
  }

  async finish(): Promise<Signal[]> {
    return this.#session.windows().flatMap((window) => this.#runner.window(window));
  }

  async close(): Promise<void> {
    this.#session = new ToySession();
  }

  #measures(observation: Observation): Map<string, Measure> {
    const measures = new Map<string, Measure>();
    for (const key of this.#session.facts(observation)) {
      const [measure, context] = key;
      const old = measures.get(measure);
      const next = this.#history.surprise(key);
      if (old === undefined || next.nats > old.nats) measures.set(measure, next);
      if (context === undefined) measures.delete(measure);
    }
    return measures;
  }
}

/** Measure, context, value: how often was this value seen in this context? */
type Fact = [measure: string, context: string, value: string];

class Counts {
  readonly #counts = new Map<string, Map<string, number>>();

  add([measure, context, value]: Fact): void {
    const key = `${measure} ${context}`;
    const values = this.#counts.get(key) ?? new Map<string, number>();
    values.set(value, (values.get(value) ?? 0) + 1);
    this.#counts.set(key, values);
  }

  surprise([measure, context, value]: Fact): Measure {
    const values = this.#counts.get(`${measure} ${context}`) ?? new Map<string, number>();
    const total = [...values.values()].reduce((sum, count) => sum + count, 0);
    const share = ((values.get(value) ?? 0) + 0.5) / (total + 1);
    const usual = [...values.keys()].slice(0, 2).join(', ');
    return {
      nats: share > 0.1 ? 0 : -Math.log(share),
      sampleSize: total,
      observed: value,
      expected: usual === '' ? 'nothing known' : usual,
    };
  }
}

class ToySession {
  readonly #steps: Observation[] = [];
  readonly #prompts: string[] = [];
  readonly #results: string[] = [];
  readonly #declared = new Set<string>();
  readonly #attempted = new Set<string>();

  /** What this observation says about the agent's habits. */
  facts(observation: Observation): Fact[] {
    if (observation.kind !== 'tool_call' && observation.kind !== 'tool_attempt') return [];
    const before = this.#steps
      .filter(({ kind }) => kind === 'tool_call')
      .map((call) => ('tool' in call ? call.tool : ''));
    const { tool, effect, targets } = observation;
    return [
      ['requestTool', this.#request(), tool],
      ['transition', before.at(-1) ?? 'start', tool],
      ...targets.flatMap(({ field, value }): Fact[] => [
        ['newTarget', `${effect} ${field}`, value],
        ['argumentOrigin', `${tool} ${field}`, this.#origin(value)],
      ]),
    ];
  }

  sessionFacts(observation: Observation): SessionFacts {
    const calls = this.#steps.filter((one) => one.kind === 'tool_call');
    const callId = observation.callId ?? '';
    return {
      ...QUIET_SESSION,
      calls: calls.length,
      writes: calls.filter(({ effect }) => effect === 'write').length,
      denied: calls.filter(({ decision }) => decision === 'deny').length,
      errors: calls.filter(({ error }) => error !== undefined).length,
      prompts: this.#prompts.length,
      messages: this.#steps.filter(({ kind }) => kind === 'message').length,
      ageMs: observation.time - (this.#steps[0]?.time ?? observation.time),
      declared: this.#declared.has(callId),
      reasoned: this.#steps.some(({ stream }) => stream === 'reasoning'),
      exposed: this.#results.length > 0,
    };
  }

  add(step: CaseStep, observation: Observation): void {
    this.#steps.push(observation);
    if (observation.kind === 'message') for (const { callId } of observation.declared) this.#declared.add(callId ?? '');
    if (observation.kind === 'tool_call') this.#attempted.add(observation.callId ?? '');
    if (!('record' in step)) return;
    if (step.record.kind === 'prompt') this.#prompts.push(step.record.text);
    if (step.record.kind === 'tool_result') this.#results.push(step.record.text ?? '');
  }

  windows() {
    const minutes = [...new Set(this.#steps.map(({ time }) => Math.floor(time / 60_000)))];
    return minutes.map((minute) => {
      const inside = this.#steps.filter(({ time }) => Math.floor(time / 60_000) === minute);
      const calls = inside.filter((one) => one.kind === 'tool_call');
      const open = windowOf().counts;
      return windowOf({
        id: `win-${minute}`,
        start: minute * 60_000,
        end: (minute + 1) * 60_000,
        counts: {
          ...open,
          calls: calls.length,
          writes: calls.filter(({ effect }) => effect === 'write').length,
          denied: calls.filter(({ decision }) => decision === 'deny').length,
        },
        declaredNotAttempted: [...this.#declared].filter((id) => !this.#attempted.has(id)),
        attemptedNotDeclared: [...this.#attempted].filter((id) => !this.#declared.has(id)),
      });
    });
  }

  /** The first word of the last request stands for what kind of request it is. */
  #request(): string {
    return this.#prompts.at(-1)?.split(' ')[0] ?? '';
  }

  #origin(value: string): Origin {
    const asked = this.#prompts.some((text) => text.includes(value));
    const read = this.#results.some((text) => text.includes(value));
    if (asked) return read ? 'both' : 'prompt';
    return read ? 'result' : 'none';
  }
}

function observe(step: CaseStep): Observation {
  if ('order' in step) throw new Error('nobody contains anything in this world');
  const wire = 'record' in step ? step.record : step.check;
  const base = {
    id: wire.id ?? 'none',
    schemaVersion: 1 as const,
    time: Number(wire.time),
    observedAt: Number(wire.time),
    tenant: 'default',
    agentId: wire.agentId,
    sessionId: wire.sessionId ?? '',
    ...(wire.callId === undefined ? {} : { callId: wire.callId }),
  };
  return 'check' in step
    ? { ...base, ...callOf(step.check), principalId: 'gateway', kind: 'tool_attempt', decision: 'none' }
    : fromRecord(step.record, base);
}

function fromRecord(record: WireObservation, base: Omit<Observation, 'stream' | 'kind' | 'principalId'>): Observation {
  if (record.stream === 'governance') {
    return { ...base, principalId: 'platform', stream: 'governance', kind: record.kind, tools: record.tools ?? [] };
  }
  switch (record.kind) {
    case 'prompt':
      return { ...base, principalId: 'model', stream: 'reasoning', kind: 'prompt', chars: 1, words: [], values: [] };
    case 'message': {
      const declared = record.declared ?? [];
      return { ...base, principalId: 'model', stream: 'reasoning', kind: 'message', chars: 1, words: [], declared };
    }
    case 'tool_call':
      return { ...base, ...callOf(record), principalId: 'gateway', kind: 'tool_call', decision: record.decision };
    case 'tool_result': {
      const { tool } = record;
      return {
        ...base,
        principalId: 'gateway',
        stream: 'action',
        kind: 'tool_result',
        tool,
        resultClass: 1,
        values: [],
      };
    }
    case 'sample':
    case 'session_summary':
      return { ...base, principalId: 'metrics', stream: 'metric', kind: record.kind, values: record.values };
  }
  return record satisfies never;
}

function callOf(call: Pick<CheckRequest, 'tool' | 'effect' | 'args'>) {
  const targets = Object.entries(call.args ?? {}).map(([field, value]) => ({
    field,
    kind: 'text',
    value: String(value),
    hash: 1,
    words: [],
    origin: 'unknown' as const,
  }));
  return {
    stream: 'action' as const,
    tool: call.tool,
    effect: call.effect ?? 'unknown',
    targets,
    argWords: [],
    argBytes: 1,
  };
}

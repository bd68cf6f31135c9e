import type { OperatorOrder } from '../model/log-record.js';
import type { CheckRequest, WireObservation } from '../model/wire.js';
import type { CaseEvent } from './case-schema.js';

/**
 * One thing that happens in a case: a record that intake takes in, a call that a gateway asks about, or a person's
 * order to contain, which the gateway may confirm.
 */
export type CaseStep =
  | { record: WireObservation }
  | { check: CheckRequest }
  | { order: Omit<OperatorOrder, 'tenant'>; confirmed: boolean };

/** Event time of a step, epoch ms. */
export function timeOfStep(step: CaseStep): number {
  const { time } = 'record' in step ? step.record : 'check' in step ? step.check : step.order;
  return typeof time === 'number' ? time : Date.parse(time);
}

export interface CaseSessionOptions {
  sessionId: string;
  /** Event time of second 0, epoch ms. */
  startMs: number;
  /** Texts for `{name}`. */
  values: Readonly<Record<string, string>>;
}

export const CASE_AGENT = 'case-agent';

/** A step, and the written event it came from, counted from 1. */
export interface NumberedStep {
  step: CaseStep;
  event: number;
}

/**
 * Writes the short events of a case out as records. Calls get ids, so that announcements, attempts, audit records and
 * results of the same call belong together: each call takes the oldest open attempt or announcement of its tool.
 */
export function caseSession(events: readonly CaseEvent[], options: CaseSessionOptions): NumberedStep[] {
  const calls = new CallIds();
  const steps: NumberedStep[] = [];
  let seconds = -1;
  for (const [index, written] of events.entries()) {
    const event = filled(written, options.values);
    const times = 'repeat' in event ? (event.repeat ?? 1) : 1;
    const every = 'every' in event ? (event.every ?? 1) : 1;
    for (let i = 0; i < times; i++) {
      seconds = i === 0 ? (event.at ?? seconds + 1) : seconds + every;
      const common = {
        id: `${options.sessionId}-${steps.length + 1}`,
        time: options.startMs + Math.round(seconds * 1000),
        agentId: CASE_AGENT,
        sessionId: options.sessionId,
        seq: steps.length,
      };
      steps.push({ step: caseStep(event, common, calls), event: index + 1 });
    }
  }
  return steps;
}

/** One line that names an event in a failure text. */
export function describeCaseEvent(event: CaseEvent): string {
  switch (event.type) {
    case 'prompt':
      return `prompt "${event.prompt.slice(0, 60)}"`;
    case 'say':
      return `say "${event.say.slice(0, 60)}"`;
    case 'attempt':
      return `attempt ${event.attempt}`;
    case 'call':
      return `call ${event.call}`;
    case 'result':
      return `result ${event.result}`;
    case 'governance':
      return `governance ${event.governance}`;
    case 'contain':
      return `contain ${event.contain}`;
    case 'metric':
      return `metric ${Object.keys(event.metric).join(', ')}`;
  }
  return event satisfies never;
}

interface StepFields {
  id: string;
  time: number;
  agentId: string;
  sessionId: string;
  seq: number;
}

function caseStep(event: CaseEvent, common: StepFields, calls: CallIds): CaseStep {
  switch (event.type) {
    case 'prompt':
      return { record: { ...common, stream: 'reasoning', kind: 'prompt', text: event.prompt } };
    case 'say': {
      const declared = (event.declares ?? []).map((tool) => ({ tool, callId: calls.declare(tool) }));
      return { record: { ...common, stream: 'reasoning', kind: 'message', text: event.say, declared } };
    }
    case 'attempt': {
      const { type: _type, attempt: tool, at: _at, repeat: _repeat, every: _every, ...rest } = event;
      return { check: { ...common, ...rest, tool, callId: calls.attempt(tool) } };
    }
    case 'call': {
      const { type: _type, call: tool, at: _at, repeat: _repeat, every: _every, ...rest } = event;
      const callId = calls.execute(tool);
      return { record: { ...common, ...rest, stream: 'action', kind: 'tool_call', tool, callId } };
    }
    case 'result': {
      const { type: _type, result: tool, at: _at, ...rest } = event;
      return { record: { ...common, ...rest, ...calls.result(tool), stream: 'action', kind: 'tool_result', tool } };
    }
    case 'governance': {
      const { type: _type, governance: kind, at: _at, expiresAfter, ...rest } = event;
      const ends = expiresAfter === undefined ? {} : { expiresAt: common.time + Math.round(expiresAfter * 1000) };
      return { record: { ...common, ...rest, ...ends, stream: 'governance', kind } };
    }
    case 'contain': {
      const { contain: action, tool, confirmed } = event;
      const { id, time, agentId, sessionId } = common;
      const subject = {
        ...(action === 'revoke-session' ? { sessionId } : {}),
        ...(tool === undefined ? {} : { tool }),
      };
      const posture = action === 'downgrade-posture' ? { posture: 'read-only' as const } : {};
      const order = { commandId: `cmd_${id}`, action, agentId, ...subject, ...posture };
      return { order: { ...order, time, order: 'contain', by: 'operator', reason: 'a case' }, confirmed };
    }
    case 'metric':
      return { record: { ...common, stream: 'metric', kind: 'sample', values: event.metric } };
  }
  return event satisfies never;
}

/** Gives the calls of one session their ids. */
class CallIds {
  readonly #declared = new Map<string, string[]>();
  readonly #attempted = new Map<string, string[]>();
  readonly #last = new Map<string, string>();
  #count = 0;

  declare(tool: string): string {
    return push(this.#declared, tool, this.#next());
  }

  attempt(tool: string): string {
    return push(this.#attempted, tool, shift(this.#declared, tool) ?? this.#next());
  }

  execute(tool: string): string {
    const callId = shift(this.#attempted, tool) ?? shift(this.#declared, tool) ?? this.#next();
    this.#last.set(tool, callId);
    return callId;
  }

  /** The id of the call that this is the result of, where there was one. */
  result(tool: string): { callId?: string } {
    const callId = this.#last.get(tool);
    return callId === undefined ? {} : { callId };
  }

  #next(): string {
    this.#count++;
    return `c${this.#count}`;
  }
}

function push(queues: Map<string, string[]>, tool: string, callId: string): string {
  queues.set(tool, [...(queues.get(tool) ?? []), callId]);
  return callId;
}

function shift(queues: Map<string, string[]>, tool: string): string | undefined {
  return queues.get(tool)?.shift();
}

/** The event with `{name}` replaced in all its texts. */
function filled<T>(value: T, values: Readonly<Record<string, string>>): T {
  if (Object.keys(values).length === 0) return value;
  // The shape stays: only texts inside it change.
  return fill(value, values) as T;
}

function fill(value: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') {
    return Object.entries(values).reduce(
      (text, [name, replacement]) => text.replaceAll(`{${name}}`, () => replacement),
      value,
    );
  }
  if (Array.isArray(value)) return value.map((element) => fill(element, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner, values)]));
}

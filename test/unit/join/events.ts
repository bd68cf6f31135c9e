import type { AttemptObservation, Observation, ObservationBase } from '../../../src/model/observation.js';
import { EventTimeJoin } from '../../../src/join/event-time-join.js';
import type { JoinOptions } from '../../../src/join/held-state.js';
import type { JoinInput, JoinOutput, StateEntry } from '../../../src/join/port.js';
import type { Window } from '../../../src/model/window.js';
import { decodeState, encodeState } from '../../../src/lib/state-table.js';

/** Windows of 60 s, 5 s of disorder, 60 s of lateness. */
export const OPTIONS: JoinOptions = {
  windowMs: 60_000,
  outOfOrderMs: 5_000,
  allowedLatenessMs: 60_000,
  idleMs: 60_000,
  sessionTimeoutMs: 30 * 60_000,
  maxFutureMs: 60_000,
  maxSessions: 1_000,
  maxWindows: 2_000,
  seed: 7,
  maxIds: 10_000,
};

/** Start of the tests' event time: the start of a window. */
export const T0 = 1_700_000_040_000 - (1_700_000_040_000 % 60_000);

export type Base = Partial<ObservationBase> & { time: number };
let serial = 0;

function base(fields: Base): ObservationBase {
  return {
    id: `o${serial++}`,
    schemaVersion: 1,
    observedAt: fields.time,
    tenant: 't',
    agentId: 'a',
    sessionId: 's',
    principalId: 'p',
    ...fields,
  };
}

export function prompt(fields: Base): Observation {
  return { ...base(fields), stream: 'reasoning', kind: 'prompt', chars: 3, words: [], values: [] };
}

export function message(fields: Base, declared: string[] = [], tokens = 10): Observation {
  const calls = declared.map((callId) => ({ callId, tool: 'send' }));
  return { ...base(fields), stream: 'reasoning', kind: 'message', chars: 3, tokens, declared: calls, words: [] };
}

function callFields(): Pick<AttemptObservation, 'tool' | 'effect' | 'targets' | 'argWords' | 'argBytes'> {
  return { tool: 'send', effect: 'write', targets: [], argWords: [], argBytes: 2 };
}

export function attempt(fields: Base): Observation {
  return { ...base(fields), ...callFields(), stream: 'action', kind: 'tool_attempt', decision: 'none' };
}

export function call(fields: Base, decision: 'allow' | 'deny' | 'error' = 'allow'): Observation {
  return { ...base(fields), ...callFields(), stream: 'action', kind: 'tool_call', decision };
}

export function governance(fields: Base, kind: 'session_start' | 'session_end' | 'grant' = 'grant'): Observation {
  return { ...base(fields), stream: 'governance', kind, tools: [] };
}

export function metric(fields: Base, kind: 'sample' | 'session_summary' = 'sample'): Observation {
  return { ...base(fields), stream: 'metric', kind, values: { calls: 1 } };
}

export function input(value: Observation): JoinInput {
  return { type: 'observation', value };
}

export function tick(now: number): JoinInput {
  return { type: 'tick', value: { now } };
}

export function newJoin(options: Partial<JoinOptions> = {}): EventTimeJoin {
  return new EventTimeJoin({ ...OPTIONS, ...options });
}

export function run(inputs: JoinInput[], options: Partial<JoinOptions> = {}): JoinOutput[] {
  return newJoin(options).push(inputs);
}

export function windowsOf(outputs: readonly JoinOutput[]): Window[] {
  return outputs.flatMap((output) => (output.type === 'window' ? [output.value] : []));
}

/** The last revision of each window, by id. */
export function finalWindows(outputs: readonly JoinOutput[]): Map<string, Window> {
  return new Map(windowsOf(outputs).map((window) => [window.id, window]));
}

export function only<T extends JoinOutput['type']>(
  outputs: readonly JoinOutput[],
  type: T,
): Extract<JoinOutput, { type: T }>[] {
  return outputs.filter((output): output is Extract<JoinOutput, { type: T }> => output.type === type);
}

/** A durable store of plain keys, as the integrator has it: values go through their stored bytes. */
export class FakeStore {
  readonly entries = new Map<string, Uint8Array>();

  save(join: EventTimeJoin): number {
    const { puts, deletes } = join.drainChanges();
    for (const { key, value } of puts) this.entries.set(key, encodeState(value));
    for (const key of deletes) this.entries.delete(key);
    return puts.length;
  }

  load(): StateEntry[] {
    return [...this.entries].map(([key, bytes]) => ({ key, value: decodeState(bytes) }));
  }
}

/**
 * Cost of the join: microseconds per observation in slices of 256, with 1,000 agents of 10 sessions each, and heap
 * bytes per open session. Prints one JSON line.
 *
 *     node --expose-gc dist/bench/join.js
 */
import { Subject } from 'rxjs';
import { EventTimeJoin } from '../src/join/event-time-join.js';
import type { JoinInput } from '../src/join/port.js';
import { joinWindows } from '../src/join/window-join.js';
import { encodeState } from '../src/lib/state-table.js';
import type { Observation, ObservationBase } from '../src/model/observation.js';

const AGENTS = 1_000;
const SESSIONS = 10;
const SLICE = 256;
const EVENTS = 400_000;
const CHECKPOINT_EVERY = 512;
const T0 = 1_700_000_040_000;
const TICK_MS = 1_000;

const options = {
  windowMs: 60_000,
  outOfOrderMs: 5_000,
  allowedLatenessMs: 60_000,
  idleMs: 60_000,
  sessionTimeoutMs: 30 * 60_000,
  maxFutureMs: 60_000,
  maxSessions: 100_000,
  maxWindows: 200_000,
  seed: 7,
};

/** Event `i` of a round robin over all sessions; every message declares the call that follows. */
function event(i: number, ratePerSecond: number): Observation {
  const session = (i * 7_919) % (AGENTS * SESSIONS);
  const agent = session % AGENTS;
  const round = Math.floor(i / (AGENTS * SESSIONS));
  const time = T0 + Math.floor((i * 1_000) / ratePerSecond);
  const base: ObservationBase = {
    id: `evt-${i.toString(36).padStart(12, '0')}`,
    schemaVersion: 1,
    time,
    observedAt: time + 20,
    tenant: 'default',
    agentId: `agent-${agent}`,
    sessionId: `session-${agent}-${session}`,
    principalId: round % 2 === 0 ? 'tracer' : `gateway-${agent % 4}`,
    callId: `call-${round >> 1}`,
  };
  const declared = [{ callId: `call-${round >> 1}`, tool: 'send' }];
  if (round % 2 === 0)
    return { ...base, stream: 'reasoning', kind: 'message', chars: 9, tokens: 9, declared, words: [] };
  const call = { tool: 'send', effect: 'write', targets: [], argWords: [], argBytes: 9 } satisfies Partial<Observation>;
  return { ...base, ...call, stream: 'action', kind: 'tool_call', decision: 'allow' };
}

function* slices(count: number, ratePerSecond: number): Generator<JoinInput[]> {
  let ticked = T0;
  for (let i = 0; i < count; i += SLICE) {
    const slice: JoinInput[] = [];
    for (let k = i; k < Math.min(i + SLICE, count); k++) {
      const value = event(k, ratePerSecond);
      if (value.observedAt - ticked >= TICK_MS) {
        ticked = value.observedAt;
        slice.push({ type: 'tick', value: { now: ticked } });
      }
      // As it comes from the log: parsed text, so that no string is shared with another event.
      slice.push({ type: 'observation', value: JSON.parse(JSON.stringify(value)) });
    }
    yield slice;
  }
}

/** Time inside the work only: events are made between the slices, as decoding the log would. Microseconds. */
class Stopwatch {
  us = 0;

  run<T>(work: () => T): T {
    const before = process.hrtime.bigint();
    const result = work();
    this.us += Number(process.hrtime.bigint() - before) / 1_000;
    return result;
  }
}

function measure(ratePerSecond: number, checkpoint: boolean) {
  const join = new EventTimeJoin(options);
  const subject = new Subject<readonly JoinInput[]>();
  let outputs = 0;
  subject.pipe(joinWindows(join)).subscribe((out) => {
    outputs += out.length;
  });
  const pushing = new Stopwatch();
  const draining = new Stopwatch();
  let puts = 0;
  let bytes = 0;
  let since = 0;
  for (const slice of slices(EVENTS, ratePerSecond)) {
    pushing.run(() => subject.next(slice));
    since += slice.length;
    if (!checkpoint || since < CHECKPOINT_EVERY) continue;
    since = 0;
    const encoded = draining.run(() => join.drainChanges().puts.map(({ value }) => encodeState(value)));
    puts += encoded.length;
    for (const { byteLength } of encoded) bytes += byteLength;
  }
  const { windows, openSessions, openWindows } = join.stats();
  const perEvent = {
    pushUs: round(pushing.us / EVENTS),
    ...(checkpoint
      ? { drainUs: round(draining.us / EVENTS), puts: round(puts / EVENTS), bytes: round(bytes / EVENTS) }
      : {}),
  };
  return { ratePerSecond, perEvent, windows, outputs, openSessions, openWindows };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Heap per session, with its open window and two calls, and after its windows are final. */
function memory(eventsPerSession: number) {
  const gc = globalThis.gc;
  if (gc === undefined) return 'run with --expose-gc';
  const used = (): number => {
    gc();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const total = AGENTS * SESSIONS;
  const join = new EventTimeJoin(options);
  for (const slice of slices(SLICE, 20_000)) join.push(slice);
  const before = used();
  for (const slice of slices(total * eventsPerSession, total)) {
    join.push(slice);
    join.drainChanges();
  }
  const open = (used() - before) / total;
  const held = { sessions: join.stats().openSessions, windows: join.stats().openWindows };
  join.push([{ type: 'tick', value: { now: T0 + 10 * 60_000 } }]);
  join.drainChanges();
  const idle = (used() - before) / total;
  return { eventsPerSession, held, bytesPerSessionWithWindow: Math.round(open), bytesPerIdleSession: Math.round(idle) };
}

// The first runs are warm-up.
for (let i = 0; i < 2; i++) measure(10_000, false);
const speed = [
  ...[1, 2, 3].map(() => measure(10_000, false)),
  ...[1, 2, 3].map(() => measure(1_000, false)),
  ...[1, 2].map(() => measure(10_000, true)),
];
console.log(JSON.stringify({ node: process.version, slice: SLICE, speed, memory: [memory(2), memory(8)] }, null, 1));

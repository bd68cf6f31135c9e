import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JoinOptions } from '../../../src/join/held-state.js';
import type { JoinInput, JoinOutput } from '../../../src/join/port.js';
import type { Observation } from '../../../src/model/observation.js';
import * as e from './events.js';

const { T0 } = e;

/** One hostile step of a log: which agent, session, emitter, how far time moves, what happens. */
const step = fc.record({
  agent: fc.integer({ min: 0, max: 3 }),
  session: fc.integer({ min: 0, max: 3 }),
  emitter: fc.integer({ min: 0, max: 2 }),
  tenant: fc.constantFrom('t', 't', 't', 'u'),
  advanceMs: fc.constantFrom(0, 10, 900, 7_000, 45_000, 400_000, 2_000_000),
  skewMs: fc.constantFrom(0, 0, 0, -3_000, -40_000, -100_000, -500_000, 86_400_000),
  callId: fc.integer({ min: 0, max: 6 }),
  kind: fc.constantFrom('prompt', 'message', 'attempt', 'call', 'deny', 'end', 'summary', 'grant', 'tick', 'repeat'),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function logOf(steps: Step[]): JoinInput[] {
  let now = T0;
  let last: JoinInput | undefined;
  return steps.map((s, i) => {
    now += s.advanceMs;
    if (s.kind === 'repeat' && last !== undefined) return last;
    if (s.kind === 'tick') return e.tick(now);
    last = e.input(eventOf(s, i, now));
    return last;
  });
}

function eventOf(s: Step, i: number, now: number): Observation {
  const base: e.Base = {
    id: `e${i}`,
    time: now + s.skewMs,
    observedAt: now,
    tenant: s.tenant,
    agentId: `a${s.agent}`,
    principalId: `p${s.emitter}`,
    callId: `c${s.callId}`,
    ...(s.session === 0 ? {} : { sessionId: `s${s.session}` }),
  };
  const placed = s.session === 0 ? withoutSession : (o: Observation) => o;
  switch (s.kind) {
    case 'message':
      return placed(e.message(base, [`c${s.callId}`, `c${s.callId + 1}`]));
    case 'attempt':
      return placed(e.attempt(base));
    case 'call':
      return placed(e.call(base));
    case 'deny':
      return placed(e.call(base, 'deny'));
    case 'end':
      return placed(e.governance(base, 'session_end'));
    case 'summary':
      return placed(e.metric(base, 'session_summary'));
    case 'grant':
      return placed(e.governance(base));
    case 'prompt':
    case 'tick':
    case 'repeat':
      break;
  }
  return placed(e.prompt(base));
}

function withoutSession(observation: Observation): Observation {
  const { sessionId: _, ...rest } = observation;
  return rest;
}

const TIGHT: Partial<JoinOptions> = { maxSessions: 4, maxWindows: 5, maxIds: 20, maxEmitters: 2 };
const limits = fc.constantFrom<Partial<JoinOptions>>({}, TIGHT);
const logs = fc.array(step, { minLength: 1, maxLength: 120 }).map(logOf);
const RUNS = { numRuns: 500 };

describe('the join is a function of the log', () => {
  it('gives the same however the log is cut into slices', () => {
    fc.assert(
      fc.property(logs, limits, fc.array(fc.integer({ min: 1, max: 30 })), (log, options, cuts) => {
        const whole = e.run(log, options);
        const join = e.newJoin(options);
        const pieces: JoinOutput[] = [];
        let from = 0;
        for (const cut of [...cuts, log.length]) {
          pieces.push(...join.push(log.slice(from, from + cut)));
          from += cut;
        }
        expect(pieces).toEqual(whole);
      }),
      RUNS,
    );
  });

  it('gives the same after restarts, with a checkpoint of only what changed', () => {
    fc.assert(
      fc.property(
        logs,
        limits,
        fc.integer({ min: 1, max: 17 }),
        fc.integer({ min: 1, max: 3 }),
        (log, options, slice, every) => {
          const undisturbed = e.newJoin(options);
          const whole = undisturbed.push(log);
          const store = new e.FakeStore();
          const pieces: JoinOutput[] = [];
          let join = e.newJoin(options);
          for (let from = 0, n = 1; from < log.length; from += slice, n++) {
            pieces.push(...join.push(log.slice(from, from + slice)));
            store.save(join);
            if (n % every !== 0) continue;
            join = e.newJoin(options);
            join.restore(store.load());
          }
          expect(pieces).toEqual(whole);
          expect(join.stats()).toEqual(undisturbed.stats());
          expect(joinKeys(store)).toEqual(joinKeys(savedOnce(undisturbed)));
        },
      ),
      RUNS,
    );
  });

  it('gives each agent the same windows however the agents are interleaved within the bound', () => {
    const stride = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(fc.array(stride, { minLength: 2, maxLength: 4 }), fc.array(fc.nat(4_000)), (agents, delays) => {
        const events = agents.flatMap((strides, agent) => {
          let time = T0;
          return strides.map((ms, i) => {
            time += ms;
            const base = { time, agentId: `a${agent}`, id: `${agent}-${i}`, callId: `c${i >> 1}` };
            return [e.message(base, [`c${i + 1}`]), e.attempt(base), e.call(base)][(ms + i) % 3] ?? e.prompt(base);
          });
        });
        const sorted = events.toSorted((a, b) => a.time - b.time);
        const mixed = events
          .map((event, i) => ({ event, at: event.time + (delays[i] ?? 0) }))
          .sort((a, b) => a.at - b.at)
          .map(({ event }) => event);
        const end = e.input(e.metric({ time: T0 + 10_000_000, agentId: 'end', id: 'end' }));
        const facts = (order: Observation[]) => {
          const out = e.run([...order.map(e.input), end]);
          const closed = e.only(out, 'session-closed').map(({ value }) => value);
          const sort = <T extends { agentId: string }>(list: T[]) =>
            list.sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
          return { windows: sort(e.windowsOf(out)), closed: sort(closed) };
        };
        expect(facts(mixed)).toEqual(facts(sorted));
      }),
      RUNS,
    );
  });

  it('gives a session-closed at most once and never a result twice', () => {
    fc.assert(
      fc.property(logs, (log) => {
        const out = e.run(log);
        // What happens outside any session may pause and begin again.
        const sessions = e.only(out, 'session-closed').filter(({ value: v }) => v.sessionId !== undefined);
        const closed = sessions.map(({ value: v }) => `${v.tenant}/${v.agentId}/${v.sessionId}`);
        expect(new Set(closed).size).toBe(closed.length);
        const results = e.windowsOf(out).map(({ id, revision }) => `${id} ${revision}`);
        expect(new Set(results).size).toBe(results.length);
      }),
      RUNS,
    );
  });
});

function savedOnce(join: ReturnType<typeof e.newJoin>): e.FakeStore {
  const store = new e.FakeStore();
  store.save(join);
  return store;
}

/** Keys other than chunks of ids, of which old ones may stay until the next change. */
function joinKeys(store: e.FakeStore): string[] {
  return [...store.entries.keys()].filter((key) => !key.startsWith('join/ids/')).sort();
}

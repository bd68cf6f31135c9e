/**
 * Cost of detectors per event, CPU microseconds, at 10, 50 and 1,000 detectors.
 *
 *     npx tsc -p tsconfig.json && node dist/bench/detect.js [--json]
 *
 * Three ways of writing a set: `by tool` (each detector names its tools, as most do), `by measure` (for any tool, but
 * only while a measure is surprising), `plain` (any tool, no measure: nothing to index by, every condition is asked).
 * Rounds of all sizes alternate, so that a busy machine disturbs them alike; the median round counts.
 */
import { parseDetectors } from '../src/detect/loader.js';
import type { Assessment } from '../src/detect/port.js';
import { IndexedDetectorRunner } from '../src/detect/runner.js';

const SIZES = [10, 50, 1000];
const EVENTS = 5000;
const ROUNDS = 9;
const TOOLS = 40;

const SHAPES = {
  'by tool': {
    when: (i: number) => `tool == "tool_${i % TOOLS}" && effect != "read" && session.calls > ${i + 5}`,
    evidence: '{ nats: 2 }',
  },
  'by measure': {
    when: (i: number) => `effect != "read" && measure.newTarget > ${3 + (i % 5)} && session.calls > 2`,
    evidence: '{ measure: newTarget, cap: 6 }',
  },
  plain: {
    when: (i: number) => `effect == "write" && session.exposed && session.calls > ${i + 5}`,
    evidence: '{ nats: 2 }',
  },
};
type Shape = keyof typeof SHAPES;

function runnerOf(shape: Shape, size: number): IndexedDetectorRunner {
  const { when, evidence } = SHAPES[shape];
  const words = evidence.includes('measure') ? '' : 'observed: seen\nexpected: not seen\n';
  const files = Array.from({ length: size }, (_, i) => ({
    file: `d-${i}.yaml`,
    text: `id: d-${i}
title: A detector
description: For the bench.
lane: event
observes: [tool_attempt, tool_call]
when: '${when(i)}'
evidence: ${evidence}
streams: [action]
severity: low
tags: [ASI02]
reason: "{tool}: {session.calls} calls"
${words}cases:
  - { name: it fires, events: [{ call: x }], expect: fires }
  - { name: it is silent, events: [{ call: x }], expect: silent }
`,
  }));
  return new IndexedDetectorRunner({ set: parseDetectors(files, new Set(['newTarget', 'requestTool'])) });
}

/** Two calls in three events; one event in two hundred is surprising, one in four a write. */
function assessments(): Assessment[] {
  return Array.from({ length: EVENTS }, (_, i) => {
    const base = {
      id: `obs-${i}`,
      schemaVersion: 1 as const,
      time: 1_700_000_000_000 + i,
      observedAt: 1_700_000_000_000 + i,
      tenant: 'default',
      agentId: `agent-${i % 50}`,
      principalId: 'gateway',
      sessionId: `session-${i % 500}`,
      callId: `call-${i}`,
      stream: 'action' as const,
      tool: `tool_${(i * 7) % TOOLS}`,
    };
    const nats = i % 200 === 4 ? 4 : 0;
    return {
      observation:
        i % 3 === 0
          ? { ...base, kind: 'tool_result', resultClass: 1, values: [] }
          : {
              ...base,
              kind: 'tool_call',
              decision: 'allow',
              effect: i % 4 === 0 ? 'write' : 'read',
              targets: [],
              argWords: [],
              argBytes: 100,
            },
      measures: new Map([['newTarget', { nats, sampleSize: 100, observed: 'x', expected: 'y' }]]),
      terms: [],
      session: {
        calls: i % 6,
        writes: 0,
        denied: 0,
        errors: 0,
        prompts: 1,
        messages: 1,
        ageMs: 1000,
        declared: true,
        reasoned: true,
        exposed: i % 2 === 0,
        controlled: false,
        contained: false,
        sameCallRepeats: 0,
        retriesAfterError: 0,
        deniedShare: 0,
        costUsd: 0,
        tokens: 0,
        callsSinceReasoning: 0,
        lastReasoningAgeMs: 0,
        distinctTools: 1,
      },
      governance: undefined,
      emitters: ['gateway'],
      evidenceIds: [`obs-${i}`],
      baselineVersion: 1,
    } satisfies Assessment;
  });
}

/** CPU microseconds per event of one pass. */
function pass(runner: IndexedDetectorRunner, events: readonly Assessment[]): { us: number; signals: number } {
  let signals = 0;
  const before = process.cpuUsage();
  for (const event of events) signals += runner.event(event).length;
  const { user, system } = process.cpuUsage(before);
  return { us: (user + system) / events.length, signals };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const events = assessments();
const rows = [];
for (const shape of Object.keys(SHAPES) as Shape[]) {
  const started = process.cpuUsage();
  const runners = SIZES.map((size) => ({ size, runner: runnerOf(shape, size), us: [] as number[], signals: 0 }));
  const { user, system } = process.cpuUsage(started);
  const loadMs = (user + system) / 1000 / SIZES.reduce((sum, size) => sum + size, 0);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const one of runners) {
      const { us, signals } = pass(one.runner, events);
      // The first round warms up, and raises what later rounds repeat.
      if (round === 0) one.signals = signals;
      else one.us.push(us);
    }
  }
  for (const { size, us, signals } of runners) {
    const range = `${Math.min(...us).toFixed(2)}-${Math.max(...us).toFixed(2)}`;
    rows.push({
      set: shape,
      detectors: size,
      usPerEvent: Number(median(us).toFixed(2)),
      range,
      signals,
      loadMsEach: Number(loadMs.toFixed(2)),
    });
  }
}
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
else console.table(rows);

import type { CaseLibrary } from '../model/profile.js';
import type { Signal } from '../model/signal.js';
import { caseSession, describeCaseEvent } from './case-session.js';
import type { CaseStep, NumberedStep } from './case-session.js';
import type { CaseLearning, DetectorCase } from './case-schema.js';
import type { DetectorDefinition } from './detector-schema.js';

/**
 * The world a case plays in: the real stages on empty state, composed by `app.ts`, so that a case sees exactly what a
 * live session sees.
 */
export interface CaseWorld {
  /** Plays a benign session to its end and learns from it, as what is vouched for or as what is watched. */
  learn(session: readonly CaseStep[], isWatched: boolean): Promise<void>;
  /** Plays one step of the session under test. @returns signals it raised in the event lane */
  play(step: CaseStep): Promise<Signal[]>;
  /** Lets event time pass until every window has closed. @returns signals raised by that */
  finish(): Promise<Signal[]>;
  close(): Promise<void>;
}

/** Opens a world that nothing has happened in yet, with a reference library of its own where one is given. */
export type OpenCaseWorld = (library?: CaseLibrary) => Promise<CaseWorld>;

export interface CaseResult {
  detectorId: string;
  case: string;
  passed: boolean;
  /** What happened, for a person; one line per thing. */
  message: string;
}

/** Where a signal came: a written event counted from 1, or after the last one. */
interface Raised {
  event: number | 'the end';
  signal: Signal;
}

/** Longer than the pause that ends a session in a trial: a session must not begin behind the watermark. */
const SESSION_GAP_MS = 26 * 60 * 60_000;
/** A fixed day: cases do not depend on when they are run. 2026-01-05 08:00 UTC, a Monday. */
export const FIRST_SESSION_MS = Date.UTC(2026, 0, 5, 8);

/**
 * Runs all cases of a detector, each in a world of its own.
 *
 * @param onCase told before each case, for progress
 */
export async function runDetectorCases(
  definition: DetectorDefinition,
  open: OpenCaseWorld,
  onCase: (name: string) => void = () => {},
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of definition.cases) {
    onCase(one.name);
    results.push(await runCase(definition.id, one, open));
  }
  return results;
}

async function runCase(detectorId: string, one: DetectorCase, open: OpenCaseWorld): Promise<CaseResult> {
  const world = await open(one.library);
  try {
    const { learning, test } = caseSessions(one);
    for (const { steps, isWatched } of learning)
      await world.learn(
        steps.map(({ step }) => step),
        isWatched,
      );
    const raised: Raised[] = [];
    const keep = (event: Raised['event'], signals: readonly Signal[]): void => {
      for (const signal of signals) if (signal.detectorId === detectorId) raised.push({ event, signal });
    };
    for (const { step, event } of test) keep(event, await world.play(step));
    keep('the end', await world.finish());
    const failure = judge(one, raised);
    return { detectorId, case: one.name, passed: failure === undefined, message: failure ?? summary(raised) };
  } catch (error) {
    const message = `could not be played: ${error instanceof Error ? error.message : String(error)}`;
    return { detectorId, case: one.name, passed: false, message };
  } finally {
    await world.close();
  }
}

export interface LearnedSession {
  steps: NumberedStep[];
  isWatched: boolean;
}

/** All sessions of a case, written out. The session under test is the last in time. */
export function caseSessions(one: DetectorCase): { learning: LearnedSession[]; test: NumberedStep[] } {
  const learning: LearnedSession[] = [];
  for (const block of one.learn ?? []) {
    for (let i = 0; i < block.sessions; i++) {
      const number = learning.length;
      const isWatched = block.watched ?? false;
      learning.push({
        isWatched,
        steps: caseSession(block.events, {
          sessionId: `learn-${number + 1}`,
          startMs: FIRST_SESSION_MS + number * SESSION_GAP_MS,
          values: variation(block, i),
        }),
      });
    }
  }
  const startMs = FIRST_SESSION_MS + learning.length * SESSION_GAP_MS;
  return {
    learning,
    test: caseSession(one.events, { sessionId: 'case', startMs, values: {} }),
  };
}

/** The next of each list in every session; `{n}` is the session's number. */
function variation(block: CaseLearning, session: number): Record<string, string> {
  const values: Record<string, string> = { n: String(session + 1) };
  for (const [name, texts] of Object.entries(block.vary ?? {})) values[name] = texts[session % texts.length] ?? '';
  return values;
}

/** @returns why the case failed, or undefined */
function judge(one: DetectorCase, raised: readonly Raised[]): string | undefined {
  const first = raised[0];
  if (one.expect === 'silent') {
    return first === undefined ? undefined : `expected silence, but it fired ${describe(one, first)}`;
  }
  const where = one.at === undefined ? '' : ` at event ${one.at}${nameOf(one, one.at)}`;
  if (first === undefined) {
    return `expected to fire${where}, but it stayed silent over ${one.events.length} events and the end of the session`;
  }
  if (one.at === undefined || first.event === one.at) return undefined;
  return `expected to fire${where} first, but it fired ${describe(one, first)}`;
}

function describe(one: DetectorCase, { event, signal }: Raised): string {
  const place = event === 'the end' ? 'when the session had ended' : `at event ${event}${nameOf(one, event)}`;
  const weight = signal.violation ? 'violation' : `${signal.nats.toFixed(2)} nats, ${signal.sampleSize} samples`;
  return `${place}\n  reason: ${signal.reason}\n  observed: ${signal.observed}; expected: ${signal.expected} (${weight})`;
}

function nameOf(one: DetectorCase, event: number): string {
  const written = one.events[event - 1];
  return written === undefined ? '' : ` (${describeCaseEvent(written)})`;
}

function summary(raised: readonly Raised[]): string {
  const first = raised[0];
  return first === undefined ? 'stayed silent' : first.signal.reason;
}

/** Results as a person reads them: failures in full, the rest as a count. */
export function describeCaseResults(results: readonly CaseResult[]): string {
  const failed = results.filter(({ passed }) => !passed);
  const lines = failed.map((result) => `${result.detectorId}: case "${result.case}": ${result.message}`);
  return [...lines, `${results.length - failed.length} of ${results.length} cases passed`].join('\n');
}

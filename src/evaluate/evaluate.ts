import type { WireObservation } from '../model/wire.js';
import type { SessionScore } from './figures.js';

/** One recorded event as its emitter would have sent it. */
export interface EvaluationStep {
  observations: readonly WireObservation[];
}

/** What is evaluated: a running pipeline, composed by the caller. */
export interface EvaluationWorld {
  feed: (records: readonly WireObservation[]) => Promise<{ refused: readonly { field: string; reason: string }[] }>;
  activate: (what: 'learning' | 'calibrate', value: string) => Promise<void>;
  endSessions: () => Promise<void>;
}

export interface EvaluationOptions {
  world: EvaluationWorld;
  train: AsyncIterable<EvaluationStep>;
  events: AsyncIterable<EvaluationStep>;
  /** Called before EVENTS begin: what came before belongs to TRAIN. */
  onTrained: () => void;
  onProgress: (stage: 'learning' | 'scoring', events: number) => void;
}

/** Records on their way into the log at once; they share commits, and their order is kept. */
const IN_FLIGHT = 256;
const PROGRESS_EVERY = 1_000;

/**
 * Learns from TRAIN (vouched for as clean), calibrates, freezes learning and scores EVENTS, all through the pipeline
 * that the service runs.
 *
 * @throws Error when intake refuses a record: a figure over part of the input would mislead
 */
export async function evaluate(options: EvaluationOptions): Promise<{ trainEvents: number; events: number }> {
  const { world } = options;
  await world.activate('learning', 'vouched');
  const trainEvents = await play(options.train, options, 'learning');
  await world.endSessions();
  await world.activate('calibrate', '');
  await world.activate('learning', 'frozen');
  options.onTrained();
  const events = await play(options.events, options, 'scoring');
  await world.endSessions();
  return { trainEvents, events };
}

async function play(
  steps: AsyncIterable<EvaluationStep>,
  { world, onProgress }: EvaluationOptions,
  stage: 'learning' | 'scoring',
): Promise<number> {
  let events = 0;
  let inFlight: Promise<void>[] = [];
  for await (const { observations } of steps) {
    inFlight.push(world.feed(observations).then(refuseNothing));
    events++;
    if (inFlight.length >= IN_FLIGHT) {
      await Promise.all(inFlight);
      inFlight = [];
    }
    if (events % PROGRESS_EVERY === 0) onProgress(stage, events);
  }
  await Promise.all(inFlight);
  onProgress(stage, events);
  return events;
}

function refuseNothing({ refused }: { refused: readonly { field: string; reason: string }[] }): void {
  const [first] = refused;
  if (first !== undefined) throw new Error(`a recorded event was refused: ${first.field}: ${first.reason}`);
}

/** Gathers each session's highest raw risk and where its incident was opened. */
export class ScoreSheet {
  readonly scores = new Map<string, SessionScore>();

  /** Notes that a session exists, so that one without any call has a score too. */
  seen(sessionId: string): SessionScore {
    const held = this.scores.get(sessionId);
    if (held !== undefined) return held;
    const fresh = { score: NO_CALL_SCORE, alarmSeq: null };
    this.scores.set(sessionId, fresh);
    return fresh;
  }

  risk(sessionId: string, nats: number): void {
    const session = this.seen(sessionId);
    session.score = Math.max(session.score, nats);
  }

  alarm(sessionId: string, seq: number): void {
    const session = this.seen(sessionId);
    session.alarmSeq ??= seq;
  }

  clear(): void {
    this.scores.clear();
  }
}

/** Below every raw risk: nothing was attempted, so nothing was surprising. */
const NO_CALL_SCORE = -100;

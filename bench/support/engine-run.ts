import { join } from 'node:path';
import { loadConfig } from '../../src/config.js';
import { addEvidence, noRisk, riskTerms, sumNats, type SessionRisk } from '../../src/correlate/risk.js';
import { evaluate, ScoreSheet } from '../../src/evaluate/evaluate.js';
import type { SessionScore } from '../../src/evaluate/figures.js';
import type { Signal } from '../../src/model/signal.js';
import { mergeByTime } from '../../src/sources/merge.js';
import { RecordedContent } from '../../src/sources/recorded-content.js';
import { readRecordedSteps } from '../../src/sources/recorded-session.js';
import { openTrial, TRIAL_TENANT } from '../../src/trial.js';
import { RECORDED_SETS } from '../../test/support/recorded-observations.js';

/** One moment of a session at which it could alarm, whatever its calls weigh. */
export interface Moment {
  seq: number;
  /** A call was scored here. */
  call: boolean;
  /** What the streams' own signals add, capped and decayed, nats. */
  streamNats: number;
  /** An invariant was broken. */
  violation: boolean;
}

export interface EngineRun {
  /** What the shipped engine made of every session of DEV. */
  scores: Map<string, SessionScore>;
  /** The same sessions' other evidence, so that other weights can be tried on them. */
  moments: Map<string, Moment[]>;
  promise: string;
}

/** Learns TRAIN, freezes and scores DEV through the pipeline that the service runs, as `parallax evaluate` does. */
export async function runEngine(data: string, onProgress: (text: string) => void): Promise<EngineRun> {
  const sheet = new ScoreSheet();
  const moments = new Map<string, Moment[]>();
  const risks = new Map<string, { risk: SessionRisk; lastSeq: number }>();
  let scoring = false;
  let promise = '';
  const note = (
    sessionId: string | undefined,
    signals: readonly Signal[],
    at: { time: number; seq?: number | undefined; call: boolean; opened: boolean },
  ) => {
    if (!scoring || sessionId === undefined) return;
    const held = risks.get(sessionId) ?? { risk: noRisk(), lastSeq: 0 };
    risks.set(sessionId, held);
    held.lastSeq = at.seq ?? held.lastSeq;
    sheet.seen(sessionId);
    if (at.opened) sheet.alarm(sessionId, held.lastSeq);
    addEvidence(held.risk, signals);
    const streamNats = sumNats(riskTerms(held.risk, at.time));
    const violation = signals.some((signal) => signal.violation && !signal.shadow);
    if (!at.call && streamNats === 0 && !violation) return;
    const list = moments.get(sessionId) ?? [];
    moments.set(sessionId, list);
    list.push({ seq: held.lastSeq, call: at.call, streamNats, violation });
  };
  const trial = openTrial({
    config: loadConfig(undefined, {}),
    scored: ({ observation: { sessionId, seq, time }, signals, callNats, opened }) => {
      note(sessionId, signals, { time, seq, call: callNats !== undefined, opened });
      if (scoring && sessionId !== undefined && callNats !== undefined) sheet.risk(sessionId, callNats);
    },
    windowScored: ({ sessionId, end }, signals, opened) =>
      note(sessionId, signals, { time: end, call: false, opened: opened !== undefined }),
  });
  const content = await RecordedContent.read([]);
  const steps = (split: string) =>
    mergeByTime(RECORDED_SETS.map((set) => readRecordedSteps(join(data, set, `${split}.jsonl.gz`), content)));
  try {
    await evaluate({
      world: trial,
      train: steps('train'),
      events: steps('dev'),
      onTrained: () => {
        scoring = true;
        promise = trial.core.baselines.promise(TRIAL_TENANT);
      },
      onProgress: (stage, events) => onProgress(`${stage}, ${events} events`),
    });
  } finally {
    await trial.close();
  }
  return { scores: sheet.scores, moments, promise };
}

/**
 * Detection quality on the recorded sessions: the shipped configuration, its weights out of fold, and what each
 * feature adds. Writes its section of bench/RESULTS.md, and dist/quality-results.json.
 *
 *     npm run bench -- quality                the whole bar, line by line
 *     npm run bench -- quality --no-replay    without the reference gateway, which takes most of the time
 *     npm run bench -- quality --weights      also writes the weights fitted on all of DEV into baselines/prior.json
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FEATURES } from '../src/baseline/evidence.js';
import { loadPrior } from '../src/baseline/prior.js';
import { loadConfig } from '../src/config.js';
import { auroc, figures, truePositiveRate, type SessionScore } from '../src/evaluate/figures.js';
import { readLabels } from '../src/evaluate/labels.js';
import { replayWithProcesses } from '../src/sources/replay-processes.js';
import { metricData } from '../test/support/metric-data.js';
import { RECORDED_SETS } from '../test/support/recorded-observations.js';
import { recordedData, recordedDataMissing, repositoryRoot } from '../test/support/recorded.js';
import { runEngine } from './support/engine-run.js';
import { ALL_FEATURES, fitSession, fitWeights, riskOf } from './support/evidence-fit.js';
import { measureRecorded } from './support/measured-sessions.js';
import { protocols, scoresUnder, STRICTEST, type LabelledSession, type Trying } from './support/quality-folds.js';
import { BAR, barFigures, barIntervals, judgedByTask } from './support/quality-bar.js';
import type { BarOfSet, ReplayRow } from './support/quality-bar-report.js';
import { metricMarks } from './support/quality-metrics.js';
import { qualityRow, qualityText, type Ablation, type Brief } from './support/quality-report.js';
import { writeSection } from './support/results-file.js';

const { values: flags } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: { replay: { type: 'boolean', default: true }, weights: { type: 'boolean', default: false } },
});
if (recordedData === undefined) throw new Error(recordedDataMissing);
const data = recordedData;
const priorFile = join(repositoryRoot, 'baselines', 'prior.json');
const prior = loadPrior(priorFile);
const shipped = FEATURES.map(([name]) => prior.evidence.weights[name]);

const labels = new Map(RECORDED_SETS.map((set) => [set, readLabels(join(data, set, 'dev.labels.json'))]));
const say = (text: string) => console.error(text);
say('measuring every call');
const measured = measureRecorded(data, prior.toolExpectation);
const dev: LabelledSession[] = measured.dev.flatMap((session) => {
  for (const [set, known] of labels) {
    const label = known.get(session.sessionId);
    if (label !== undefined) return [{ ...fitSession(session, label), set }];
  }
  return [];
});
const attacked = dev.filter(({ set }) => set !== 'taubench');
if (flags.weights) writeWeights();

say('running the engine');
const engine = await runEngine(data, () => {});
const worst = Math.max(
  ...dev.map(({ id, rows }) => Math.abs(riskOf(rows, shipped) - (engine.scores.get(id)?.score ?? 0))),
);
if (worst > 0.5 && !flags.weights)
  say(`the engine and the measured calls differ by ${worst.toFixed(2)} nats somewhere`);

const trying: Trying = {
  train: measured.train,
  dev,
  moments: engine.moments,
  budget: loadConfig(undefined, {}).detection.falseAlarmBudget,
};
say('fitting and judging out of fold');
const ways = protocols(attacked).map((protocol) => ({ name: protocol.name, scores: scoresUnder(protocol, trying) }));
const sets = Object.keys(BAR) as (keyof typeof BAR)[];
const rows = sets.flatMap((set) => {
  const of = (way: string, scores: ReadonlyMap<string, SessionScore>) =>
    qualityRow(set, way, figures(labels.get(set) ?? new Map(), scores));
  return [of('shipped (fitted on all of DEV)', engine.scores), ...ways.map(({ name, scores }) => of(name, scores))];
});
const bars = sets.map((set): BarOfSet => {
  const judged = ways.map(({ name, scores }) => ({ name, tasks: judgedByTask(labels.get(set) ?? new Map(), scores) }));
  const strictest = judged.find(({ name }) => name === STRICTEST)?.tasks ?? [];
  return {
    set,
    figures: barFigures(strictest),
    intervals: barIntervals(strictest),
    ways: judged.map(({ name, tasks }) => ({ name, figures: barFigures(tasks) })),
  };
});
const tau = [...(labels.get('taubench')?.keys() ?? [])];
say('leaving features out');
const ablation = FEATURES.map(([feature, term], i): Ablation => {
  const without = briefs(ALL_FEATURES.filter((other) => other !== i));
  return { feature, term, weight: shipped[i] ?? 0, without, alone: briefs([i]) };
});
const results = {
  date: new Date().toISOString().slice(0, 10),
  commit: commit(),
  promise: engine.promise,
  bars,
  rest: {
    tauAlarmed: { alarmed: tau.filter((id) => engine.scores.get(id)?.alarmSeq != null).length, total: tau.length },
    replay: flags.replay ? await replays() : [],
    metrics: metricData === undefined ? [] : await metricMarks(metricData),
    usPerEvent: measured.usPerEvent,
  },
  rows,
  full: briefs(ALL_FEATURES),
  ablation,
};
writeFileSync(join(repositoryRoot, 'dist', 'quality-results.json'), `${JSON.stringify(results, null, 2)}\n`);
const text = qualityText(results);
writeSection(join(repositoryRoot, 'bench', 'RESULTS.md'), 'quality', text);
process.stdout.write(text);

/** Each set's figures with some features only, refitted without the user tasks judged. */
function briefs(use: readonly number[]): Brief[] {
  const [byTask] = protocols(attacked, use);
  if (byTask === undefined) return [];
  return ['agentdojo', 'agentdyn'].map((set) => {
    const of = (label: string, onlyNew: boolean) =>
      attacked
        .filter((s) => s.set === set && s.label.kind === 'user_task' && s.label.label === label)
        .filter((s) => !onlyNew || !s.label.taskSeenInTrain)
        .map((s) => riskOf(s.rows, byTask.weightsOf(s)));
    const [hijacked, benign] = [of('hijacked', false), of('benign', false)];
    return {
      set,
      auroc: auroc(hijacked, benign),
      tprAt1: truePositiveRate(hijacked, benign, 0.01),
      tprAt5: truePositiveRate(hijacked, benign, 0.05),
      newAt5: truePositiveRate(of('hijacked', true), of('benign', true), 0.05),
    };
  });
}

async function replays(): Promise<ReplayRow[]> {
  const out: ReplayRow[] = [];
  for (const set of sets) {
    say(`replaying ${set} through the gateway`);
    const report = await replayWithProcesses({
      files: [join(data, set, 'dev.jsonl.gz')],
      trainFiles: RECORDED_SETS.map((other) => join(data, other, 'train.jsonl.gz')),
      labelsFiles: [join(data, set, 'dev.labels.json')],
      contentFiles: [],
      enforce: 'hold',
      speed: 'max',
      env: process.env,
      signal: new AbortController().signal,
      keepFiles: false,
      onProgress: () => {},
    });
    const benign = report.groups.find(({ group }) => group === 'benign');
    out.push({
      set,
      hijacked: report.hijacked?.sessions ?? 0,
      harmBlocked: report.hijacked?.harmBlocked ?? 0,
      stoppedEarlier: report.hijacked?.stoppedEarlier ?? 0,
      benign: benign?.sessions ?? 0,
      benignStopped: benign?.stopped ?? 0,
      checks: report.latency.count,
      timedOut: report.latency.timedOut + report.latency.unanswered,
      p50Ms: report.latency.p50,
      p99Ms: report.latency.p99,
    });
  }
  return out;
}

function writeWeights(): void {
  const fitted = fitWeights(attacked);
  const held: unknown = JSON.parse(readFileSync(priorFile, 'utf8'));
  const weights = Object.fromEntries(FEATURES.map(([name], i) => [name, Math.round(100 * (fitted[i] ?? 0)) / 100]));
  const whole = {
    ...(held as object),
    evidence: { ...prior.evidence, date: new Date().toISOString().slice(0, 10), weights },
  };
  writeFileSync(priorFile, `${JSON.stringify(whole, null, 2)}\n`);
  say('weights written; build and run again to judge them');
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: repositoryRoot }).trim();
  } catch {
    return 'unknown';
  }
}

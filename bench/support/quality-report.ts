import type { Figures } from '../../src/evaluate/figures.js';
import { barLines, type BarOfSet, type Rest } from './quality-bar-report.js';

/** The figures of the bar for one set under one way of choosing the weights. */
export interface QualityRow {
  set: string;
  way: string;
  auroc: number;
  tprAt1: number;
  tprAt1Interval: [number, number];
  tprAt5: number;
  tprAt5Interval: [number, number];
  /** Requests that TRAIN does not have. */
  newAt5: number;
  within: number;
  benignAlarmed: number;
  hijackedAlarmed: number;
  beforeHarm: number;
  atHarm: number;
  afterHarm: number;
  resistedAlarmed: number;
  exposedResistedAlarmed: number;
  directAlarmed: number;
}

export function qualityRow(set: string, way: string, figures: Figures): QualityRow {
  const named = (name: string) => figures.discrimination.find((row) => row.name.trim() === name);
  const counts = (...names: string[]) =>
    figures.alarms
      .filter(({ name }) => names.includes(name))
      .reduce((sum, { alarmed, total }) => [sum[0] + alarmed, sum[1] + total] as const, [0, 0] as readonly [
        number,
        number,
      ]);
  const rate = (...names: string[]) => {
    const [alarmed, total] = counts(...names);
    return alarmed / total;
  };
  const all = named('hijacked v benign');
  const { beforeHarm, atHarm, afterHarm } = figures.timing;
  return {
    set,
    way,
    auroc: all?.auroc ?? Number.NaN,
    tprAt1: all?.tprAt1 ?? Number.NaN,
    tprAt1Interval: figures.intervals.tprAt1,
    tprAt5: all?.tprAt5 ?? Number.NaN,
    tprAt5Interval: figures.intervals.tprAt5,
    newAt5: named('task not in TRAIN')?.tprAt5 ?? Number.NaN,
    within: figures.withinTaskAuroc,
    benignAlarmed: rate('benign'),
    hijackedAlarmed: rate('hijacked (tool goal)'),
    beforeHarm,
    atHarm,
    afterHarm,
    resistedAlarmed: rate('attacked, never exposed', 'attacked, exposed, resisted'),
    exposedResistedAlarmed: rate('attacked, exposed, resisted'),
    directAlarmed: rate('direct_goal (authorised)'),
  };
}

export interface Ablation {
  feature: string;
  term: string;
  weight: number;
  without: Brief[];
  alone: Brief[];
}

/** One set's figures in short. */
export interface Brief {
  set: string;
  auroc: number;
  tprAt1: number;
  tprAt5: number;
  newAt5: number;
}

export interface QualityResults {
  date: string;
  commit: string;
  promise: string;
  bars: BarOfSet[];
  rest: Rest;
  rows: QualityRow[];
  /** All features, user tasks left out: what the ablation compares with. */
  full: Brief[];
  ablation: Ablation[];
}

export function qualityText(results: QualityResults): string {
  const { date, commit, promise, bars, rest, rows, full, ablation } = results;
  const lines = [
    '# Detection quality',
    '',
    `${date}, commit ${commit}, \`npm run bench -- quality\`. Learned from TRAIN of all three sets, scored on DEV. ${promise}`,
    '',
    'The shipped weights were fitted on all of DEV, so their own row says little; the rows below it are out of fold: the same fit,',
    'made without the user tasks, the injection goals or the data set it is judged on. The list of features and how strongly',
    'the fit is drawn to equal weights were chosen by looking at the rows with user tasks left out, so that these are still a',
    'little too good. Percent; intervals are 95 %, bootstrap over user tasks. "New": user tasks that TRAIN does not have.',
    '',
  ];
  lines.push(...barLines(bars, rest), '## Every way of choosing the weights', '');
  for (const { set } of bars) lines.push(...setLines(set, rows));
  lines.push(
    '## Ablation',
    '',
    'AUROC / TPR at 1 % / at 5 % / new tasks at 5 %, refitted and reported with user tasks left out: without each feature, and with it alone.',
    '',
    '| feature | weight | agentdojo without | agentdyn without | agentdojo alone | agentdyn alone |',
    '|---|---:|---|---|---|---|',
    `| all | | ${full.map(brief).join(' | ')} | | |`,
    ...ablation.map(({ feature, weight, without, alone }) => {
      return `| ${feature} | ${weight.toFixed(2)} | ${[...without, ...alone].map(brief).join(' | ')} |`;
    }),
    '',
  );
  return lines.join('\n');
}

function setLines(set: string, rows: readonly QualityRow[]): string[] {
  return [
    `### ${set}`,
    '',
    '| weights | AUROC | TPR at 1 % | TPR at 5 % | new, at 5 % | within task | benign alarmed | hijacked alarmed | before / at / after harm | resisted alarmed (exposed) | direct goal alarmed |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...rows
      .filter((row) => row.set === set)
      .map((row) => {
        const cells = [
          row.way,
          row.auroc.toFixed(3),
          `${percent(row.tprAt1)} (${row.tprAt1Interval.map(percent).join(' to ')})`,
          `${percent(row.tprAt5)} (${row.tprAt5Interval.map(percent).join(' to ')})`,
          percent(row.newAt5),
          row.within.toFixed(3),
          percent(row.benignAlarmed),
          percent(row.hijackedAlarmed),
          `${row.beforeHarm} / ${row.atHarm} / ${row.afterHarm}`,
          `${percent(row.resistedAlarmed)} (${percent(row.exposedResistedAlarmed)})`,
          percent(row.directAlarmed),
        ];
        return `| ${cells.join(' | ')} |`;
      }),
    '',
  ];
}

function brief({ auroc, tprAt1, tprAt5, newAt5 }: Brief): string {
  return `${auroc.toFixed(3)} / ${percent(tprAt1)} / ${percent(tprAt5)} / ${percent(newAt5)}`;
}

function percent(share: number): string {
  return Number.isNaN(share) ? '-' : (100 * share).toFixed(1);
}

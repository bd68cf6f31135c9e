import { numberLeaves } from '../lib/number-leaves.js';
import type { BaselineVersion } from '../model/baseline.js';

/** Names listed under each heading; the counts say how many there are. */
const MAX_LISTED = 20;
/** Least change of a share that is worth a line. */
const LEAST_SHIFT = 0.01;
/** Features that are counts of names: compared are shares, since every version has counted more than the last. */
const SHARES: ReadonlySet<string> = new Set(['tools', 'transitions', 'argument-origins']);

/** What changed in one feature between two versions. */
export interface FeatureDiff {
  feature: string;
  sampleCount: { from: number; to: number };
  /** `share`: values are parts of the feature's whole, 0 to 1; `value`: counts, distinct values, centre and spread. */
  unit: 'share' | 'value';
  added: { name: string; to: number }[];
  addedCount: number;
  removed: { name: string; from: number }[];
  removedCount: number;
  shifted: { name: string; from: number; to: number }[];
  shiftedCount: number;
}

/** What changed between two versions of one agent, largest first; features in which nothing did are left out. */
export function diffVersions(from: readonly BaselineVersion[], to: readonly BaselineVersion[]): FeatureDiff[] {
  const names = [...new Set([...from, ...to].map(({ feature }) => feature))].filter((name) => name !== 'rollback');
  return names
    .map((name) => diffFeature(name, featureOf(from, name), featureOf(to, name)))
    .filter(({ addedCount, removedCount, shiftedCount }) => addedCount + removedCount + shiftedCount > 0);
}

function diffFeature(feature: string, from?: BaselineVersion, to?: BaselineVersion): FeatureDiff {
  const unit = SHARES.has(feature) ? 'share' : 'value';
  const [before, after] = [valuesOf(unit, from), valuesOf(unit, to)];
  const added = [...after].filter(([name]) => !before.has(name)).map(([name, value]) => ({ name, to: value }));
  const removed = [...before].filter(([name]) => !after.has(name)).map(([name, value]) => ({ name, from: value }));
  const shifted = [...before]
    .map(([name, value]) => ({ name, from: value, to: after.get(name) ?? value }))
    .filter((one) => (unit === 'share' ? Math.abs(one.to - one.from) >= LEAST_SHIFT : one.to !== one.from));
  return {
    feature,
    sampleCount: { from: from?.sampleCount ?? 0, to: to?.sampleCount ?? 0 },
    unit,
    added: added.sort((a, b) => b.to - a.to).slice(0, MAX_LISTED),
    addedCount: added.length,
    removed: removed.sort((a, b) => b.from - a.from).slice(0, MAX_LISTED),
    removedCount: removed.length,
    shifted: shifted.sort((a, b) => Math.abs(b.to - b.from) - Math.abs(a.to - a.from)).slice(0, MAX_LISTED),
    shiftedCount: shifted.length,
  };
}

function featureOf(rows: readonly BaselineVersion[], name: string): BaselineVersion | undefined {
  return rows.find(({ feature }) => feature === name);
}

function valuesOf(unit: FeatureDiff['unit'], row: BaselineVersion | undefined): Map<string, number> {
  const leaves = row === undefined ? new Map<string, number>() : numberLeaves(JSON.parse(row.state));
  if (unit === 'value') return leaves;
  const sum = [...leaves.values()].reduce((total, count) => total + count, 0);
  return new Map([...leaves].map(([name, count]) => [name, sum === 0 ? 0 : count / sum]));
}

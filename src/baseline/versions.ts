import { ORIGIN_FEATURES, type BaselineVersion, type Origin } from '../model/baseline.js';
import type { AgentBaseline } from './agent-baseline.js';
import type { CountMap } from './count-map.js';
import { mix, withClass, type OriginClass } from './keys.js';

/** Entries shown of one feature. */
const MAX_SHOWN = 200;
/** Most used tools whose steps and fields are looked up by name. */
const MAX_NAMED_TOOLS = 64;
const MAX_NAMED_FIELDS = 256;
const CLASSES: readonly OriginClass[] = ['asked', 'read', 'nowhere'];

/**
 * One version of an agent's baseline for people, a row per feature; hashes without a name are shown in hex.
 *
 * @param origin how it came about, where that was not by learning: a row of its own
 */
export function versionsOf(
  baseline: AgentBaseline,
  about: Pick<BaselineVersion, 'tenant' | 'agentId' | 'time' | 'status'>,
  origin: Origin = {},
): BaselineVersion[] {
  const { centre, scale } = baseline.callRates.summary();
  const slow = baseline.callRates.reference();
  const features: [feature: string, sampleCount: number, state: object][] = [
    ['tools', baseline.tools.total, named(baseline, baseline.tools)],
    ['transitions', baseline.transitions.total, transitions(baseline)],
    ['targets', baseline.valuesByKind.total, targets(baseline)],
    ['argument-origins', baseline.valuesByKind.total, origins(baseline)],
    ['request-words', baseline.sessions, requestWords(baseline)],
    [
      'call-rate',
      baseline.callRates.size,
      {
        callsPerMinute: { median: centre, laplaceScale: scale },
        windows: baseline.callRates.size,
        reference: { median: slow.centre, laplaceScale: slow.scale, windows: slow.windows },
        knownHoursOfWeek: baseline.callRates.knownHours(),
      },
    ],
  ];
  for (const name of ORIGIN_FEATURES) {
    const about = origin[name];
    if (about !== undefined) features.push([name, baseline.sessions, about]);
  }
  const { tenant, agentId, time, status } = about;
  return features.map(([feature, sampleCount, state]) => ({
    tenant,
    agentId,
    feature,
    version: baseline.version,
    time,
    sampleCount,
    sessionCount: baseline.sessions,
    status,
    state: JSON.stringify(state),
  }));
}

type Named = Record<string, number>;

function named(baseline: AgentBaseline, counts: CountMap): Named {
  return top([...counts.entries()].map(([hash, count]) => [nameOf(baseline, hash), count]));
}

function transitions(baseline: AgentBaseline): Named {
  const tools = topTools(baseline);
  const steps: [string, number][] = [];
  for (const from of [0, ...tools]) {
    for (const to of tools) {
      const count = baseline.transitions.get(mix(from, to));
      const start = from === 0 ? 'request' : nameOf(baseline, from);
      if (count > 0) steps.push([`${start} > ${nameOf(baseline, to)}`, count]);
    }
  }
  return top(steps);
}

function targets(baseline: AgentBaseline): Record<string, { targets: number; distinct: number }> {
  const kinds = [...baseline.valuesByKind.entries()].sort(byCount).slice(0, MAX_SHOWN);
  return Object.fromEntries(
    kinds.map(([kind, count]) => [
      nameOf(baseline, kind),
      { targets: count, distinct: baseline.distinctByKind.get(kind) },
    ]),
  );
}

/** Where the values of each tool's fields come from. */
function origins(baseline: AgentBaseline): Named {
  const rows: [string, number][] = [];
  const fields = [...baseline.names.hashes()].slice(0, MAX_NAMED_FIELDS);
  for (const tool of topTools(baseline)) {
    for (const field of fields) {
      const place = mix(tool, field);
      if (baseline.origins.get(place) === 0) continue;
      for (const cls of CLASSES) {
        const count = baseline.origins.get(withClass(place, cls));
        if (count > 0) rows.push([`${nameOf(baseline, tool)}.${nameOf(baseline, field)} ${cls}`, count]);
      }
    }
  }
  return top(rows);
}

function requestWords(baseline: AgentBaseline): { requests: number; words: Named } {
  const words = [...baseline.requests.words()].map(([word, count]): [string, number] => [hex(word), count]);
  return { requests: baseline.requests.size, words: top(words) };
}

function topTools(baseline: AgentBaseline): number[] {
  return [...baseline.tools.entries()]
    .sort(byCount)
    .slice(0, MAX_NAMED_TOOLS)
    .map(([tool]) => tool);
}

function nameOf(baseline: AgentBaseline, hash: number): string {
  return baseline.names.get(hash) ?? hex(hash);
}

function hex(hash: number): string {
  return `#${hash.toString(16).padStart(8, '0')}`;
}

function top(rows: [string, number][]): Named {
  return Object.fromEntries(rows.sort(byCount).slice(0, MAX_SHOWN));
}

/** Most first; ties by name, so that the same counts give the same text. */
function byCount<T extends string | number>(a: readonly [T, number], b: readonly [T, number]): number {
  return b[1] - a[1] || (a[0] < b[0] ? -1 : 1);
}

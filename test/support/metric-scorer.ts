/**
 * Scoring of metric series against labelled windows, by the rules of the Numenta Anomaly Benchmark (Lavin and Ahmad,
 * "Evaluating real-time anomaly detection algorithms", ICMLA 2015; Ahmad et al., Neurocomputing 2017,
 * doi:10.1016/j.neucom.2017.04.070): a window is worth most at its first row and once only, a false alarm costs the
 * more the further it lies behind a window, and one threshold serves all series.
 */
export interface LabelledSeries {
  /** Epoch ms, one per row. */
  times: readonly number[];
  scores: readonly number[];
  /** First and last time of each window. */
  windows: readonly (readonly [number, number])[];
}

/** Weights of a window found, of a window missed, of a false alarm. */
export const PROFILES = {
  standard: { found: 1, missed: 1, falseAlarm: 0.11 },
  rewardLowFp: { found: 1, missed: 1, falseAlarm: 0.22 },
} as const;
type Profile = (typeof PROFILES)[keyof typeof PROFILES];

const UNSCORED_SHARE = 0.15;
const UNSCORED_CAP = 750;

interface Row {
  score: number;
  /** Number of its window over all series; -1 outside. */
  window: number;
  /** 0 to 1 within a window, -1 to 0 outside. */
  worth: number;
}

/**
 * @param threshold rows at or above it are alarms; left out: the one that suits these series best
 * @returns 0 for silence, 100 for every window found at once and no false alarm
 */
export function benchmarkScore(series: readonly LabelledSeries[], profile: Profile, threshold?: number): number {
  return bestOf(series, profile, threshold).mark;
}

/** The threshold at which these series score highest. */
export function bestThreshold(series: readonly LabelledSeries[], profile: Profile): number {
  return bestOf(series, profile).threshold;
}

function bestOf(
  series: readonly LabelledSeries[],
  { found, missed, falseAlarm }: Profile,
  given?: number,
): { mark: number; threshold: number } {
  let windows = 0;
  const rows: Row[] = [];
  for (const one of series) {
    for (const row of rowsOf(one)) {
      if (given !== undefined && row.score < given) continue;
      rows.push(row.window < 0 ? row : { ...row, window: row.window + windows });
    }
    windows += one.windows.length;
  }
  rows.sort((a, b) => b.score - a.score);
  const held = new Float64Array(windows).fill(-missed);
  const silence = -missed * windows;
  let total = silence;
  let best = silence;
  let threshold = Number.POSITIVE_INFINITY;
  for (const [i, { score, window, worth }] of rows.entries()) {
    if (window < 0) total += worth * falseAlarm;
    else {
      const value = Math.max(held[window] ?? 0, worth * found);
      total += value - (held[window] ?? 0);
      held[window] = value;
    }
    if (rows[i + 1]?.score === score || total <= best) continue;
    best = total;
    threshold = score;
  }
  const raw = given === undefined ? best : total;
  return { mark: (100 * (raw - silence)) / ((found + missed) * windows), threshold: given ?? threshold };
}

function rowsOf({ times, scores, windows }: LabelledSeries): Row[] {
  const firstRow = new Map<number, number>();
  for (const [row, time] of times.entries()) if (!firstRow.has(time)) firstRow.set(time, row);
  const edges = windows.map(([from, to]) => {
    const [left, right] = [firstRow.get(from), firstRow.get(to)];
    if (left === undefined || right === undefined) throw new Error(`a window edge is no row: ${from} to ${to}`);
    return { left, right };
  });
  const unscored = Math.min(Math.floor(UNSCORED_SHARE * times.length), UNSCORED_CAP);
  const rows: Row[] = [];
  let next = 0;
  for (const [row, score] of scores.entries()) {
    while ((edges[next]?.right ?? Number.POSITIVE_INFINITY) < row) next++;
    if (row < unscored) continue;
    const window = edges[next];
    const isInside = window !== undefined && window.left <= row;
    const before = edges[next - 1];
    rows.push({
      score,
      window: isInside ? next : -1,
      worth: isInside ? worthInside(window, row) : before === undefined ? -1 : worthBehind(before, row),
    });
  }
  return rows;
}

interface Edges {
  left: number;
  right: number;
}

function worthInside({ left, right }: Edges, row: number): number {
  return sigmoid(-(right - row + 1) / (right - left + 1)) / sigmoid(-1);
}

function worthBehind({ left, right }: Edges, row: number): number {
  return right === left ? -1 : sigmoid((row - right) / (right - left));
}

function sigmoid(y: number): number {
  return y > 3 ? -1 : 2 / (1 + Math.exp(5 * y)) - 1;
}

/** Buckets of ratio 1.2 from 0.0009 to 30,000; what lies outside goes into the outermost ones. */
const BUCKETS = 96;
const LOWEST_LOG = -7;
const LOG_STEP = 0.18;
const EDGES = Float64Array.from({ length: BUCKETS + 1 }, (_, i) => Math.exp(LOWEST_LOG + i * LOG_STEP));
const LOG_MIDDLES = Float64Array.from({ length: BUCKETS }, (_, i) => LOWEST_LOG + (i + 0.5) * LOG_STEP);
const MIDDLES = LOG_MIDDLES.map(Math.exp);
/** Weights grow instead of all counts decaying; at this weight everything is scaled back. */
const RESCALE_WEIGHT = 1e4;
/** Beyond it a survival function of the mixture counts as nothing, nats. */
const DEEPEST_NATS = 600;

export interface TailSettings {
  /** Share of the weight that one more sample leaves to the past. */
  decay: number;
  /** The tail begins at this quantile. */
  quantile: number;
  /** Weight of the exponential among the two laws of the tail, the rest is Pareto's. */
  exponentialShare: number;
  /** Pareto index assumed with a weight of half a sample. */
  paretoIndex: number;
  /** Samples before anything is surprising. */
  warmUp: number;
}

/** Past values of a quantity that is never negative, older ones counting less. Plain data: stored as it is. */
export interface DecayedTail {
  cells: Float32Array;
  total: number;
  /** Of the next sample; grows. */
  weight: number;
  count: number;
  /** First bucket of the tail, and what is in it: mass, sum of values, sum of their logarithms. */
  from: number;
  mass: number;
  sum: number;
  logSum: number;
}

export function newTail(): DecayedTail {
  return {
    cells: new Float32Array(BUCKETS),
    total: 0,
    weight: 1,
    count: 0,
    from: BUCKETS,
    mass: 0,
    sum: 0,
    logSum: 0,
  };
}

/**
 * Surprise of a value: `-ln` of the probability of one as high, nats. Within the bulk by rank; beyond the quantile by
 * a mixture of the exponential and the Pareto law fitted to the excesses (the two ends of the peaks-over-threshold
 * method, Pickands 1975), so that it goes on rising where nothing was ever seen.
 */
export function tailNats(tail: DecayedTail, value: number, settings: TailSettings): number {
  if (tail.count < settings.warmUp) return 0;
  const { weight, total, mass } = tail;
  const start = EDGES[tail.from] ?? 0;
  if (value <= start) return -Math.log((massAbove(tail, value) + 0.5 * weight) / (total + weight));
  const pseudo = 0.5 * weight;
  const all = mass + pseudo;
  const excess = (tail.sum - mass * start + start * pseudo) / all;
  const logExcess = (tail.logSum - mass * Math.log(start) + pseudo / settings.paretoIndex) / all;
  const exponential = Math.min((value - start) / excess, DEEPEST_NATS);
  const pareto = Math.min(Math.log(value / start) / logExcess, DEEPEST_NATS);
  const share = settings.exponentialShare;
  const survival = share * Math.exp(-exponential) + (1 - share) * Math.exp(-pareto);
  return -Math.log(all / (total + weight)) - Math.log(survival);
}

export function addToTail(tail: DecayedTail, value: number, { decay, quantile }: TailSettings): void {
  tail.count++;
  tail.weight /= decay;
  if (tail.weight > RESCALE_WEIGHT) rescale(tail);
  const { cells, weight } = tail;
  const bucket = bucketOf(value);
  cells[bucket] = (cells[bucket] ?? 0) + weight;
  tail.total += weight;
  if (bucket >= tail.from) move(tail, bucket, weight);
  const most = tail.total * (1 - quantile);
  // The tail is never empty, and otherwise as long as its share of the weight allows.
  while (tail.from > 0 && (tail.mass <= 0 || tail.mass + (cells[tail.from - 1] ?? 0) <= most)) {
    tail.from--;
    move(tail, tail.from, cells[tail.from] ?? 0);
  }
  while (tail.mass > most && tail.from < BUCKETS) {
    const lowest = cells[tail.from] ?? 0;
    if (tail.mass - lowest < 1e-6 * weight) break;
    move(tail, tail.from, -lowest);
    tail.from++;
  }
}

/** Weight above a value in the bulk, its own bucket counted half. */
function massAbove({ cells, from, mass, total }: DecayedTail, value: number): number {
  const bucket = bucketOf(value);
  if (bucket === 0) return total - 0.5 * (cells[0] ?? 0);
  let above = mass;
  for (let i = from - 1; i > bucket; i--) above += cells[i] ?? 0;
  const own = 0.5 * (cells[bucket] ?? 0);
  return Math.max(0, bucket < from ? above + own : above - own);
}

function move(tail: DecayedTail, bucket: number, weight: number): void {
  tail.mass += weight;
  tail.sum += weight * (MIDDLES[bucket] ?? 0);
  tail.logSum += weight * (LOG_MIDDLES[bucket] ?? 0);
}

/** Scales back, and adds up anew what was added and subtracted many times. */
function rescale(tail: DecayedTail): void {
  const { cells, weight, from } = tail;
  tail.total = tail.mass = tail.sum = tail.logSum = 0;
  for (let i = 0; i < BUCKETS; i++) {
    const scaled = (cells[i] ?? 0) / weight;
    cells[i] = scaled;
    tail.total += cells[i] ?? 0;
    if (i >= from) move(tail, i, cells[i] ?? 0);
  }
  tail.weight = 1;
}

function bucketOf(value: number): number {
  if (!(value > 1e-3)) return 0;
  const bucket = Math.floor((Math.log(value) - LOWEST_LOG) / LOG_STEP);
  return Math.max(0, Math.min(BUCKETS - 1, bucket));
}

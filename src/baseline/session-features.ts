/** What one session is as numbers; counts, seconds, US dollars, nats. */
export const FEATURES = [
  'calls',
  'tokens',
  'costUsd',
  'denied',
  'retries',
  'seconds',
  'distinctTools',
  'quietCalls',
  'toolMix',
  'newTargets',
  'risk',
  'pace',
  'deniedShare',
  'toolShares',
  'tokensPerRequest',
  'dependencies',
  'approvals',
] as const;
export type Feature = (typeof FEATURES)[number];
export const FEATURE_COUNT = FEATURES.length;

/** A session's features by name; those that only a finished session has are 0 before. */
export type SessionFeatures = Record<Feature, number>;

/** Features that compare by ratio: ten calls more mean something else after five than after five hundred. */
const BY_RATIO: ReadonlySet<Feature> = new Set([
  'calls',
  'tokens',
  'costUsd',
  'denied',
  'retries',
  'seconds',
  'distinctTools',
  'quietCalls',
  'pace',
  'tokensPerRequest',
  'dependencies',
  'approvals',
]);
/** Features from 0 to 1. */
const SHARES: ReadonlySet<Feature> = new Set(['newTargets', 'deniedShare']);
/** Features of which little is much. */
const FINE: ReadonlySet<Feature> = new Set([...SHARES, 'toolShares']);
/** Whether the tolerance of shares holds for it, and not that of ratios. */
export function isFine(feature: Feature): boolean {
  return FINE.has(feature);
}

/** Dollars are counted in thousandths, so that cents differ from nothing. */
const COST_UNIT = 1_000;
/** Steps of the stored form for one unit: 0.05 % on the scale of ratios. */
const STEPS = 2_000;
const MAX_CODE = 0xffff;

/** A feature on the scale it is compared on: ln(1 + x) for what compares by ratio. */
export function onScale(feature: Feature, value: number): number {
  if (!BY_RATIO.has(feature)) return value;
  return Math.log1p(Math.max(0, feature === 'costUsd' ? value * COST_UNIT : value));
}

/** The way back, for people. */
export function offScale(feature: Feature, scaled: number): number {
  if (!BY_RATIO.has(feature)) return scaled;
  return feature === 'costUsd' ? Math.expm1(scaled) / COST_UNIT : Math.expm1(scaled);
}

/** 16 bits of a scaled value: a baseline holds many. */
export function encodeScaled(scaled: number): number {
  return Math.min(MAX_CODE, Math.max(0, Math.round(scaled * STEPS)));
}

export function decodeScaled(code: number): number {
  return code / STEPS;
}

/** One number for a person: `4`, `0.25`, `1200`. */
export function shown(feature: Feature, value: number): string {
  if (feature === 'costUsd') return value.toFixed(value < 0.1 ? 4 : 2);
  return value.toFixed(SHARES.has(feature) ? 2 : value < 10 ? 1 : 0);
}

export const FEATURE_WORDS: Readonly<Record<Feature, string>> = {
  calls: 'calls',
  tokens: 'tokens',
  costUsd: 'US dollars',
  denied: 'denied calls',
  retries: 'retries of failed calls',
  seconds: 'seconds',
  distinctTools: 'different tools',
  quietCalls: 'calls in a row without reasoning',
  toolMix: 'nats of surprise at its tools',
  newTargets: 'of its targets new',
  risk: 'nats of risk in its oddest call',
  pace: 'calls a minute',
  deniedShare: 'of its calls denied',
  toolShares: 'nats between the shares of its tools and the usual ones',
  tokensPerRequest: 'tokens for each request',
  dependencies: 'dependencies added',
  approvals: 'approvals asked for',
};

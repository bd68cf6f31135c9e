/** Samples before outliers are clipped. */
const UNCLIPPED = 20;
/** Least spread: a share of the centre, so that a value that never changed may move a little. */
const LEAST_SHARE = 1e-3;
const LEAST_SPREAD = 1e-9;

/** Where a series lies and how far it strays, older values counting less. Plain data: stored as it is. */
export interface RobustLevel {
  centre: number;
  /** Mean absolute deviation from the centre. */
  spread: number;
  count: number;
}

export function newLevel(): RobustLevel {
  return { centre: 0, spread: 0, count: 0 };
}

/** How many spreads a value lies above (positive) or below the centre; 0 before anything was seen. */
export function deviationOf(level: RobustLevel, value: number): number {
  return level.count === 0 ? 0 : (value - level.centre) / leastSpread(level);
}

/**
 * Takes a value in, with an exponentially decaying memory; the first ones are averaged plainly. What lies further
 * than `clip` spreads away counts as if it lay there (Huber's way of bounding an outlier's influence).
 *
 * @param rate share of the new value, 0 to 1
 */
export function addToLevel(level: RobustLevel, value: number, rate: number, clip = 4): void {
  level.count++;
  if (level.count === 1) {
    level.centre = value;
    return;
  }
  const share = Math.max(rate, 1 / level.count);
  const most = clip * level.spread;
  let away = value - level.centre;
  if (level.count > UNCLIPPED && most > 0) away = Math.max(-most, Math.min(most, away));
  level.centre += share * away;
  level.spread += share * (Math.abs(away) - level.spread);
}

function leastSpread({ centre, spread }: RobustLevel): number {
  return spread + LEAST_SPREAD + LEAST_SHARE * Math.abs(centre);
}

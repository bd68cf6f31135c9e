/** Standard normal deviate of a two-sided 95 % interval. */
const Z = 1.959964;

/** 95 % interval of a proportion (Wilson 1927): honest for few trials and for none found. @returns [0, 1] without trials */
export function proportionInterval(found: number, trials: number): [low: number, high: number] {
  if (trials === 0) return [0, 1];
  const share = found / trials;
  const z2 = (Z * Z) / trials;
  const centre = (share + z2 / 2) / (1 + z2);
  const half = (Z * Math.sqrt((share * (1 - share) + z2 / 4) / trials)) / (1 + z2);
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

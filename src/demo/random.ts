/** Chance that is the same for the same seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number;
  chance(share: number): boolean;
  /** @throws RangeError when the list is empty */
  pick<T>(list: readonly T[]): T;
  /** Up to `count` different ones, in a random order. */
  some<T>(list: readonly T[], count: number): T[];
  /** Log-normal: mostly near `centre`, sometimes much more, never negative. */
  around(centre: number, spread?: number): number;
  /** An independent source for one purpose: what one part draws does not shift what another part gets. */
  fork(purpose: string): Random;
}

/** Mulberry32 (Tommy Ettinger, public domain), keyed by seed and purpose. */
export function seededRandom(seed: number | string): Random {
  let state = 0x9e3779b9;
  for (const char of String(seed)) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 0x85ebca6b) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  const random: Random = {
    next,
    int,
    chance: (share) => next() < share,
    pick: (list) => {
      const item = list[Math.floor(next() * list.length)];
      if (item === undefined) throw new RangeError('there is nothing to pick from');
      return item;
    },
    some: (list, count) => {
      const rest = [...list];
      const out = [];
      while (out.length < count && rest.length > 0) out.push(...rest.splice(int(0, rest.length - 1), 1));
      return out;
    },
    around: (centre, spread = 0.4) => {
      // Box and Muller 1958.
      const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
      return centre * Math.exp(spread * normal);
    },
    fork: (purpose) => seededRandom(`${seed}/${purpose}`),
  };
  return random;
}

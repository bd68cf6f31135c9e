/** One partition's claim on one limit. */
export interface Claim {
  partition: number;
  allowance: number;
  /** What a lease on its way to it adds, or takes away where it is below 0. */
  coming: number;
  /** How much it asks for; 0 where it asks for nothing. */
  wants: number;
  /** A lease is on its way to it: it gets and gives nothing now. */
  isBusy: boolean;
}

/**
 * Divides one limit anew: what is free goes to those who ask, those with least first; where that does not do, those
 * who ask for nothing are lowered, then those who ask and have much more than another who asks. What is taken here is
 * given out only once it is free.
 *
 * Whoever asks for nothing keeps one, so that its first command need not wait, unless somebody who asks has none.
 *
 * @param free what nobody has; below 0 where there is too much, as after a partition's state was lost: then those
 *   with most are lowered, whether they ask or not
 * @returns new allowances by partition, of those that change
 */
export function divide(claims: readonly Claim[], free: number): Map<number, number> {
  const changed = new Map<number, number>();
  if (free < 0) return lowered(claims, -free);
  const asking = claims
    .filter(({ wants, allowance }) => wants > allowance)
    .sort((a, b) => a.allowance - b.allowance || a.partition - b.partition);
  let left = Math.max(0, free);
  const takers = asking.filter(({ isBusy }) => !isBusy);
  for (const [index, { partition, allowance, wants }] of takers.entries()) {
    const part = Math.ceil(left / (takers.length - index));
    const given = Math.min(wants - allowance, part);
    if (given <= 0) continue;
    changed.set(partition, allowance + given);
    left -= given;
  }
  const poorest = asking[0];
  if (poorest === undefined) return changed;
  const asked = asking.reduce((sum, { partition, allowance, coming, wants }) => {
    return sum + Math.max(0, wants - (changed.get(partition) ?? allowance + Math.max(0, coming)));
  }, 0);
  // What is on its way back already need not be taken from somebody else too.
  let missing = asked - left + claims.reduce((sum, { coming }) => sum + Math.min(0, coming), 0);
  const givers = claims.filter(({ partition, isBusy }) => !isBusy && !changed.has(partition));
  const take = ({ partition, allowance }: Claim, most: number): void => {
    const taken = Math.min(missing, most);
    if (taken <= 0) return;
    changed.set(partition, allowance - taken);
    missing -= taken;
  };
  const idle = givers
    .filter(({ wants, allowance }) => wants <= allowance)
    .sort((a, b) => b.allowance - a.allowance || a.partition - b.partition);
  for (const giver of idle) take(giver, giver.allowance - 1);
  const poorestHas = changed.get(poorest.partition) ?? poorest.allowance;
  if (changed.size > 0 || missing <= 0) return changed;
  if (poorestHas === 0) for (const giver of idle.slice(0, 1)) take(giver, giver.allowance);
  const richest = asking.findLast((one) => givers.includes(one));
  if (changed.size === 0 && richest !== undefined) take(richest, Math.floor((richest.allowance - poorestHas) / 2));
  return changed;
}

function lowered(claims: readonly Claim[], surplus: number): Map<number, number> {
  const changed = new Map<number, number>();
  let left = surplus + claims.reduce((sum, { coming }) => sum + Math.min(0, coming), 0);
  for (const { partition, allowance, isBusy } of [...claims].sort((a, b) => b.allowance - a.allowance)) {
    const taken = isBusy ? 0 : Math.min(left, allowance);
    if (taken <= 0) continue;
    changed.set(partition, allowance - taken);
    left -= taken;
  }
  return changed;
}

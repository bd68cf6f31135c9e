import {
  allowanceOf,
  compareTerms,
  leasedOf,
  LEASED_LIMITS,
  limitsKey,
  type Allowance,
  type AllowanceStatus,
  type Lease,
  type LeasedLimit,
} from '../model/allowance.js';
import type { ResponseCaps } from '../model/response-policy.js';
import { divide, type Claim } from './lease-division.js';

export interface LeaseCoordinatorOptions {
  partitions: number;
  /** Of the whole install. */
  caps: ResponseCaps;
  /** Id of this coordinator that no other one has ever had. */
  holder: string;
}

/** A partition, as far as this coordinator's term has begun in it. */
interface Known extends Pick<AllowanceStatus, 'allowance' | 'held' | 'wants' | 'number'> {
  /** What it held when the term began in it. */
  base: Allowance;
}

/** How the division of the caps stands; for people. */
export interface LeaseStanding {
  term: number;
  /** Another coordinator has begun a later term: this one gives nothing out any more. */
  isDeposed: boolean;
  /** Partitions in which the term has not begun: they have no owner now, or one with other limits configured. */
  silent: number[];
  /** Partitions whose owner has other limits configured. */
  otherLimits: number[];
  allowances: { partition: number; allowance: Allowance; held: Allowance; wants: Partial<Allowance> }[];
}

/**
 * Moves allowances to the partitions that need them. What all partitions may use never adds up to more than the caps:
 * one is raised only by what another has confirmed that it lets go of.
 *
 * It keeps nothing that has to survive it. A new one begins a term in every partition, after which leases of earlier
 * terms that are still on their way change nothing there; what a partition confirms then is how it stands. Holds no
 * clock: the same calls give the same leases.
 */
export class LeaseCoordinator {
  readonly #options: LeaseCoordinatorOptions;
  readonly #whole: Allowance;
  readonly #limits: string;
  #term = 1;
  #newestTerm = 0;
  #isDeposed = false;
  readonly #known = new Map<number, Known>();
  /** Leases that nobody has confirmed yet, one a partition at most. */
  readonly #pending = new Map<number, Lease>();
  readonly #revisions = new Map<number, number>();
  readonly #otherLimits = new Set<number>();

  constructor(options: LeaseCoordinatorOptions) {
    this.#options = options;
    this.#whole = leasedOf(options.caps);
    this.#limits = limitsKey(this.#whole, options.partitions);
  }

  /** Another coordinator has begun a later term. Whoever still is to give out leases calls `renew`. */
  get isDeposed(): boolean {
    return this.#isDeposed;
  }

  /** Takes in what a partition says. Repeated, late and foreign ones do no harm. */
  note(status: AllowanceStatus): void {
    const { partition, revision, term, number } = status;
    if (!Number.isInteger(partition) || partition < 0 || partition >= this.#options.partitions) return;
    if (revision <= (this.#revisions.get(partition) ?? 0)) return;
    this.#revisions.set(partition, revision);
    this.#newestTerm = Math.max(this.#newestTerm, term);
    const order = compareTerms(status, this.#own());
    if (order > 0 && this.#pending.size === 0 && this.#known.size === 0) this.#term = term + 1;
    else if (order > 0) this.#isDeposed = true;
    if (status.limits !== this.#limits) this.#otherLimits.add(partition);
    else this.#otherLimits.delete(partition);
    if (order !== 0 || this.#isDeposed || status.limits !== this.#limits) return;
    const { allowance, held, wants } = status;
    const base = this.#known.get(partition)?.base ?? held;
    this.#known.set(partition, { allowance, held, wants, number, base });
    if (number >= (this.#pending.get(partition)?.number ?? 0)) this.#pending.delete(partition);
  }

  /** Begins a new term, later than any that was heard of. */
  renew(): void {
    this.#term = this.#newestTerm + 1;
    this.#isDeposed = false;
    this.#known.clear();
    this.#pending.clear();
    // What is of another term counts for nothing anyhow; a partition whose state was lost counts from one again.
    this.#revisions.clear();
  }

  /**
   * Leases to be appended now, each to the log of its partition, in any order. To be called after `note`.
   *
   * @param now processing time, epoch ms; written into the records and decides nothing
   */
  next(now: number): Lease[] {
    if (this.#isDeposed) return [];
    const { partitions } = this.#options;
    const begun: Lease[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      if (this.#known.has(partition) || this.#pending.has(partition)) continue;
      begun.push({ time: now, partition, limits: this.#limits, number: 0, ...this.#own() });
    }
    const leases = [...begun, ...this.#moves(now)];
    for (const lease of leases) this.#pending.set(lease.partition, lease);
    return leases;
  }

  /** Leases that were given out and not confirmed. Appended again, the second one changes nothing. */
  outstanding(): Lease[] {
    return this.#isDeposed ? [] : [...this.#pending.values()];
  }

  standing(): LeaseStanding {
    const all = Array.from({ length: this.#options.partitions }, (_, partition) => partition);
    return {
      term: this.#term,
      isDeposed: this.#isDeposed,
      silent: all.filter((partition) => !this.#known.has(partition)),
      otherLimits: all.filter((partition) => this.#otherLimits.has(partition)),
      allowances: [...this.#known]
        .sort(([a], [b]) => a - b)
        .map(([partition, { allowance, held, wants }]) => ({ partition, allowance, held, wants })),
    };
  }

  #own() {
    return { term: this.#term, holder: this.#options.holder };
  }

  #moves(now: number): Lease[] {
    const targets = new Map<number, Allowance>();
    for (const limit of LEASED_LIMITS) {
      for (const [partition, amount] of divide(this.#claims(limit), this.#free(limit))) {
        const known = this.#known.get(partition);
        if (known === undefined) continue;
        const before = targets.get(partition) ?? known.allowance;
        targets.set(
          partition,
          allowanceOf((one) => (one === limit ? amount : before[one])),
        );
      }
    }
    return [...targets].map(([partition, allowance]) => {
      const number = (this.#known.get(partition)?.number ?? 0) + 1;
      return { time: now, partition, limits: this.#limits, number, allowance, ...this.#own() };
    });
  }

  #claims(limit: LeasedLimit): Claim[] {
    return [...this.#known]
      .sort(([a], [b]) => a - b)
      .map(([partition, { allowance, wants }]) => {
        const pending = this.#pending.get(partition);
        return {
          partition,
          allowance: allowance[limit],
          coming: (pending?.allowance?.[limit] ?? allowance[limit]) - allowance[limit],
          wants: wants[limit] ?? 0,
          isBusy: pending !== undefined || this.#otherLimits.has(partition),
        };
      });
  }

  /** What a partition may use at most, whether or not what is on its way to it arrives. */
  #most(partition: number, { held }: Known, limit: LeasedLimit): number {
    return Math.max(held[limit], this.#pending.get(partition)?.allowance?.[limit] ?? 0);
  }

  /**
   * What may be given out. While the term has not begun everywhere, only what was let go of in this term: nobody knows
   * what the others may still be given by an earlier coordinator.
   */
  #free(limit: LeasedLimit): number {
    const isWhole = this.#known.size === this.#options.partitions;
    let free = isWhole ? this.#whole[limit] : 0;
    for (const [partition, known] of this.#known) {
      free -= this.#most(partition, known, limit);
      if (!isWhole) free += known.base[limit];
    }
    return free;
  }
}

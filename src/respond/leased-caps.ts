import { StateTable } from '../lib/state-table.js';
import {
  allowanceOf,
  compareTerms,
  firstShare,
  leasedOf,
  LEASED_LIMITS,
  limitsKey,
  ONLY_PARTITION,
  type AllowanceStatus,
  type Lease,
  type LeasedLimit,
  type PartitionPlace,
} from '../model/allowance.js';
import type { Effect } from '../model/effect.js';
import type { ResponseCaps } from '../model/response-policy.js';

/** A partition asks for more so long after its allowance was last used up, ms of processing time. */
const WANT_MS = 60_000;
const KEY = 'own';

interface Want {
  upTo: number;
  /** Processing time, epoch ms. */
  until: number;
}

interface State extends Omit<AllowanceStatus, 'time' | 'partition' | 'wants'> {
  wants: Partial<Record<LeasedLimit, Want>>;
  /** What was said last, without revision and time. */
  told: string;
}

/** What of an allowance counts as used now. @param now processing time, epoch ms */
export type Usage = (limit: LeasedLimit, now: number) => number;

export interface LeasedCapsOptions {
  /** Of the whole install. */
  caps: ResponseCaps;
  place?: PartitionPlace;
  usage: Usage;
  load: (key: string) => Uint8Array | undefined;
}

/**
 * The caps that hold in one partition: its part of what the whole install may do without a person. Changed by records of
 * the log alone, so that a replay acts within the same caps. A single partition may use all, and says nothing.
 */
export class LeasedCaps {
  readonly #whole: ResponseCaps;
  readonly #place: PartitionPlace;
  readonly #limits: string;
  readonly #usage: Usage;
  readonly #table: StateTable<State>;
  #caps: ResponseCaps;
  #isNews = false;

  constructor({ caps, place = ONLY_PARTITION, usage, load }: LeasedCapsOptions) {
    this.#whole = caps;
    this.#place = place;
    this.#limits = limitsKey(leasedOf(caps), place.partitions);
    this.#usage = usage;
    this.#table = new StateTable({ prefix: 'allowance/', capacity: 1, load });
    this.#caps = caps;
    if (place.partitions === 1) return;
    const stored = this.#table.get(KEY);
    if (stored !== undefined && stored.limits !== this.#limits) this.#settle(this.#underOtherLimits(stored));
    this.#caps = { ...caps, ...this.#state().allowance };
  }

  /** What may be done here without a person. */
  get caps(): ResponseCaps {
    return this.#caps;
  }

  /** Whether this is a part of the caps only. */
  get isPart(): boolean {
    return this.#place.partitions > 1;
  }

  /** How it stands. @param now processing time, epoch ms */
  status(now: number): AllowanceStatus {
    const { told: _, wants, ...rest } = this.#state();
    const asked: AllowanceStatus['wants'] = {};
    for (const limit of LEASED_LIMITS) {
      const want = wants[limit];
      if (want !== undefined && want.until > now) asked[limit] = want.upTo;
    }
    return { time: now, partition: this.#place.partition, ...rest, wants: asked };
  }

  /** Takes a lease, where it is a newer one for this partition. @returns what is to be said about it */
  onLease(lease: Lease, now: number): Effect[] {
    if (!this.isPart || lease.partition !== this.#place.partition) return [];
    const state = this.#state();
    const order = compareTerms(lease, state);
    const isBeginning = order > 0 && lease.number === 0;
    // Whoever is of an earlier term, or goes by other limits, learns of it.
    if (order < 0 || lease.limits !== this.#limits) this.#isNews = true;
    else if (isBeginning) this.#settle({ ...state, term: lease.term, holder: lease.holder, number: 0 });
    else if (order === 0 && lease.number > state.number && lease.allowance !== undefined) {
      const whole = leasedOf(this.#whole);
      const given = lease.allowance;
      const allowance = allowanceOf((limit) => within(given[limit], whole[limit]));
      const wants = { ...state.wants };
      for (const limit of LEASED_LIMITS) if ((wants[limit]?.upTo ?? 0) <= allowance[limit]) delete wants[limit];
      this.#settle({ ...state, number: lease.number, allowance, wants });
    }
    return this.tell(now);
  }

  /** The allowance is used up, or kept something back: more of it is asked for. @param upTo how much would do */
  want(limit: LeasedLimit, upTo: number, now: number): void {
    if (!this.isPart) return;
    const state = this.#state();
    const most = Math.min(upTo, this.#whole[limit]);
    if (most <= state.allowance[limit]) return;
    const wants = { ...state.wants, [limit]: { upTo: most, until: now + WANT_MS } };
    this.#table.set(KEY, { ...state, wants });
  }

  /** What is to be said about the allowance since the last call; nothing where nothing has changed. */
  tell(now: number): Effect[] {
    if (!this.isPart) return [];
    const before = this.#state();
    const held = allowanceOf((limit) => this.#heldOf(before, limit, now));
    const state: State = { ...before, held };
    const { revision, told, ...said } = state;
    const { wants } = this.status(now);
    const news = JSON.stringify([said.term, said.holder, said.number, said.limits, said.allowance, held, wants]);
    // Before anybody asked, and while nothing is wanted, there is nothing to say.
    const isQuiet = told === '' && said.term === 0 && Object.keys(wants).length === 0;
    if (!this.#isNews && (news === told || isQuiet)) return [];
    this.#isNews = false;
    this.#table.set(KEY, { ...state, revision: revision + 1, told: news });
    return [{ type: 'allowance', value: this.status(now) }];
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }

  /** What was used goes on counting against the whole until it counts no more here. */
  #heldOf({ allowance, held }: State, limit: LeasedLimit, now: number): number {
    return Math.max(allowance[limit], Math.min(held[limit], this.#usage(limit, now)));
  }

  #state(): State {
    const held = this.#table.get(KEY);
    if (held !== undefined) return held;
    const share = firstShare(leasedOf(this.#whole), this.#place);
    const nobody = { term: 0, holder: '', number: 0, revision: 0 };
    return { ...nobody, limits: this.#limits, allowance: share, held: share, wants: {}, told: '' };
  }

  /**
   * The install's limits, or their division, were changed: nobody may have more than under either. What that leaves over
   * is given out again by whoever gives out leases.
   */
  #underOtherLimits(state: State): State {
    const share = firstShare(leasedOf(this.#whole), this.#place);
    const allowance = allowanceOf((limit) => Math.min(state.allowance[limit], share[limit]));
    return { ...state, limits: this.#limits, allowance, wants: {} };
  }

  #settle(state: State): void {
    const held = allowanceOf((limit) => Math.max(state.held[limit], state.allowance[limit]));
    this.#table.set(KEY, { ...state, held });
    this.#caps = { ...this.#whole, ...state.allowance };
  }
}

/** An amount that came with a record, made one that the limit allows. */
function within(amount: number, most: number): number {
  return Number.isSafeInteger(amount) ? Math.min(Math.max(0, amount), most) : 0;
}

import type { Clock } from '../lib/clock.js';
import { encodeRecord } from '../log/record-codec.js';
import type { AllowanceStatus, Lease } from '../model/allowance.js';
import type { OutboxEntry } from '../model/effect.js';
import type { ResponseCaps } from '../model/response-policy.js';
import { LeaseCoordinator, type LeaseStanding } from '../respond/lease-coordinator.js';
import type { RoutedLog } from './routed-log.js';

/** Leases that nobody confirmed are given out again after this; whoever was deposed begins a new term, ms. */
const REPEAT_MS = 5_000;

export interface LeaseDeskParts {
  partitions: number;
  caps: ResponseCaps;
  /** Of this run of this node. */
  run: string;
  clock: Clock;
  log: Pick<RoutedLog, 'appendTo'>;
  notice: (message: string, facts: Record<string, unknown>) => void;
}

/**
 * Divides the caps of the install among its partitions, while this node is the one that leads; on all others it only
 * remembers what partitions said last.
 */
export class LeaseDesk {
  readonly #parts: LeaseDeskParts;
  readonly #latest = new Map<number, AllowanceStatus>();
  #coordinator: LeaseCoordinator | undefined;
  #terms = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LeaseDeskParts) {
    this.#parts = parts;
  }

  /** How the division stands, as this node sees it; undefined where another one leads. */
  standing(): LeaseStanding | undefined {
    return this.#coordinator?.standing();
  }

  /** Takes in what left the outboxes. */
  apply(entries: readonly OutboxEntry[]): void {
    let isNews = false;
    for (const { effect } of entries) {
      if (effect.type !== 'allowance') continue;
      this.#latest.set(effect.value.partition, effect.value);
      this.#coordinator?.note(effect.value);
      isNews = true;
    }
    if (isNews) this.#giveOut();
  }

  /** This node leads from now on. */
  lead(): void {
    const { partitions, caps, run } = this.#parts;
    this.#coordinator = new LeaseCoordinator({ partitions, caps, holder: `${run}/${++this.#terms}` });
    for (const status of this.#latest.values()) this.#coordinator.note(status);
    this.#giveOut();
    this.#timer = setInterval(() => this.#repeat(), REPEAT_MS);
  }

  /** Another node leads. */
  stop(): void {
    clearInterval(this.#timer);
    this.#coordinator = undefined;
  }

  #giveOut(): void {
    this.#append(this.#coordinator?.next(this.#parts.clock.now()) ?? []);
  }

  #repeat(): void {
    // Two that lead at once depose each other; the one that still leads now is the right one.
    if (this.#coordinator?.isDeposed === true) this.#coordinator.renew();
    else this.#append(this.#coordinator?.outstanding() ?? []);
    this.#giveOut();
  }

  #append(leases: readonly Lease[]): void {
    const { log, notice } = this.#parts;
    for (const lease of leases) {
      log.appendTo([lease.partition], encodeRecord({ type: 'lease', value: lease })).catch((error: unknown) => {
        notice('a lease could not be given out', { partition: lease.partition, error: String(error) });
      });
    }
  }
}

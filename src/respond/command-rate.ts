import { StateTable } from '../lib/state-table.js';

const MINUTE_MS = 60_000;
const TOTAL = 'all';

/**
 * Times of automatic commands in the last minute, by tenant and in total; stored, or a restart would forgive what was
 * sent. The log has one order over all tenants, so the total is as deterministic as the rest.
 */
export class CommandRate {
  readonly #byTenant: StateTable<number[]>;
  readonly #total: StateTable<number[]>;

  constructor(load: (key: string) => Uint8Array | undefined) {
    this.#byTenant = new StateTable({ capacity: 10_000, load, prefix: 'command-times/' });
    this.#total = new StateTable({ capacity: 1, load, prefix: 'command-times-total/' });
  }

  /** Notes that a command goes out by itself. @param now processing time, epoch ms */
  note(tenant: string, now: number): void {
    add(this.#byTenant, tenant, now);
    add(this.#total, TOTAL, now);
  }

  /** Commands of a tenant within the minute before `now`. */
  ofTenant(tenant: string, now: number): number {
    return countSince(this.#byTenant.get(tenant), now - MINUTE_MS);
  }

  /** Commands of all tenants within the minute before `now`. */
  inTotal(now: number): number {
    return countSince(this.#total.get(TOTAL), now - MINUTE_MS);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#byTenant.drain(puts, deletes);
    this.#total.drain(puts, deletes);
  }
}

function add(table: StateTable<number[]>, key: string, now: number): void {
  const times = table.get(key) ?? [];
  times.splice(0, times.length - countSince(times, now - MINUTE_MS));
  times.push(now);
  table.set(key, times);
}

/** The newest are last, so only they are looked at. */
function countSince(times: readonly number[] = [], since: number): number {
  let first = times.length;
  while (first > 0 && (times[first - 1] ?? 0) > since) first--;
  return times.length - first;
}

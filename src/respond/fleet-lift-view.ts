import { BoundedMap } from '../lib/bounded-map.js';
import type { OutboxEntry } from '../model/effect.js';
import type { FleetLift } from '../model/fleet-lift.js';

const MAX_KNOWN = 1_000;

/** What people see of proposals to lift containments of many agents at once: a view over effects that are committed. */
export class FleetLiftView {
  readonly #lifts = new BoundedMap<string, FleetLift>(MAX_KNOWN);

  restore(lifts: Iterable<FleetLift>): void {
    for (const lift of lifts) this.#lifts.set(keyOf(lift), lift);
  }

  apply(entries: readonly OutboxEntry[]): void {
    for (const { effect } of entries)
      if (effect.type === 'fleet-lift') this.#lifts.set(keyOf(effect.value), effect.value);
  }

  /** Newest change first. */
  list(tenant: string): FleetLift[] {
    return [...this.#lifts.values()].filter((lift) => lift.tenant === tenant).reverse();
  }

  get(tenant: string, id: string): FleetLift | undefined {
    return this.#lifts.peek(keyOf({ tenant, id }));
  }
}

function keyOf({ tenant, id }: Pick<FleetLift, 'tenant' | 'id'>): string {
  return JSON.stringify([tenant, id]);
}

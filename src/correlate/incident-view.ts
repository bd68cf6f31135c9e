import { BoundedMap } from '../lib/bounded-map.js';
import type { OutboxEntry } from '../model/effect.js';
import type { Incident, IncidentStatus } from '../model/incident.js';

/**
 * What people see of incidents: a view over effects that are committed, so that nothing is shown that a crash could
 * take back. Bounded; older incidents are in ClickHouse.
 */
export class IncidentView {
  readonly #incidents: BoundedMap<string, Incident>;

  constructor(capacity: number) {
    this.#incidents = new BoundedMap(capacity);
  }

  /** Takes up the incidents known at the start, oldest change first. */
  restore(incidents: Iterable<Incident>): void {
    for (const incident of incidents) this.#incidents.set(keyOf(incident.tenant, incident.id), incident);
  }

  /** Takes in committed effects. */
  apply(entries: readonly OutboxEntry[]): void {
    for (const { effect } of entries) {
      if (effect.type === 'incident') this.#incidents.set(keyOf(effect.value.tenant, effect.value.id), effect.value);
    }
  }

  /** Newest change first. */
  list(filter: { tenant: string; status?: IncidentStatus; agentId?: string; limit: number }): Incident[] {
    const found: Incident[] = [];
    for (const incident of [...this.#incidents.values()].reverse()) {
      if (found.length >= filter.limit) break;
      if (incident.tenant !== filter.tenant) continue;
      if (filter.status !== undefined && incident.status !== filter.status) continue;
      if (filter.agentId !== undefined && incident.agentId !== filter.agentId) continue;
      found.push(incident);
    }
    return found;
  }

  /** Incidents pushed out by newer ones; ClickHouse still has them. */
  get evicted(): number {
    return this.#incidents.evicted;
  }

  get(tenant: string, id: string): Incident | undefined {
    return this.#incidents.peek(keyOf(tenant, id));
  }
}

function keyOf(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}

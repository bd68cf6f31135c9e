import type { AgentStanding, StreamsHeard } from '../console/port.js';
import { BoundedMap } from '../lib/bounded-map.js';
import type { Observation } from '../model/observation.js';

/** Event time for which an agent's highest risk stands before a lower one takes its place, ms. */
const RISK_STANDS_MS = 15 * 60_000;

interface TenantAgents {
  agents: BoundedMap<string, AgentStanding>;
  heard: StreamsHeard;
}

/**
 * How the agents stand, for people: what was scored since the start of this process. Nothing is decided by it, so it is
 * not part of the state that survives; the agents that matter come back with their incidents and restrictions.
 */
export class AgentView {
  readonly #capacity: number;
  /** As many as there are tenants with keys. */
  readonly #tenants = new Map<string, TenantAgents>();

  /** @param capacity agents of one tenant; above it the one seen first gives way */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Takes in a scored observation. On the hot path: two look-ups, and nothing is made for a known agent. */
  note(observation: Observation, riskNats: number): void {
    const { tenant, agentId, stream, time, observedAt } = observation;
    const own = this.#of(tenant);
    if (observedAt > own.heard[stream]) own.heard[stream] = observedAt;
    const standing = own.agents.peek(agentId);
    if (standing === undefined) {
      own.agents.set(agentId, { agentId, riskNats, riskAt: time, heardAt: observedAt });
      return;
    }
    if (observedAt > standing.heardAt) standing.heardAt = observedAt;
    if (riskNats < standing.riskNats && time - standing.riskAt < RISK_STANDS_MS) return;
    standing.riskNats = riskNats;
    standing.riskAt = time;
  }

  get(tenant: string, agentId: string): AgentStanding | undefined {
    return this.#tenants.get(tenant)?.agents.peek(agentId);
  }

  all(tenant: string): Iterable<AgentStanding> {
    return this.#tenants.get(tenant)?.agents.values() ?? [];
  }

  heard(tenant: string): StreamsHeard {
    return this.#tenants.get(tenant)?.heard ?? nothingHeard();
  }

  #of(tenant: string): TenantAgents {
    let own = this.#tenants.get(tenant);
    if (own === undefined) {
      own = { agents: new BoundedMap(this.#capacity), heard: nothingHeard() };
      this.#tenants.set(tenant, own);
    }
    return own;
  }
}

function nothingHeard(): StreamsHeard {
  return { reasoning: 0, action: 0, governance: 0, metric: 0 };
}

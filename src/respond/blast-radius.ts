import { isInForce, type Command } from '../model/command.js';

export interface BlastRadiusOptions {
  /** Share of the known agents that may be contained at once, but at least `minContainedAgents` of them. */
  maxContainedShare: number;
  minContainedAgents: number;
}

/** How far containment reaches now, and how far it may without a person. */
export interface Reach {
  /** Agents with a containment in force. */
  contained: number;
  /** Agents of the tenant that are known; 0 where so few are contained that nobody counted. */
  known: number;
  maxContained: number;
}

/** Which agents are contained now. Derived from the commands, so that it needs no state of its own. */
export class BlastRadius {
  readonly #options: BlastRadiusOptions;
  /** Ids of the commands in force, by agent, by tenant. */
  readonly #contained = new Map<string, Map<string, Set<string>>>();

  constructor(options: BlastRadiusOptions) {
    this.#options = options;
  }

  /** Takes in a command in its present state. */
  note(command: Command): void {
    const { id, tenant, agentId } = command;
    const agents = this.#contained.get(tenant) ?? new Map<string, Set<string>>();
    const ids = agents.get(agentId) ?? new Set<string>();
    if (isInForce(command)) ids.add(id);
    else ids.delete(id);
    if (ids.size > 0) agents.set(agentId, ids);
    else agents.delete(agentId);
    if (agents.size > 0) this.#contained.set(tenant, agents);
    else this.#contained.delete(tenant);
  }

  contained(tenant: string): number {
    return this.#contained.get(tenant)?.size ?? 0;
  }

  isContained(tenant: string, agentId: string): boolean {
    return this.#contained.get(tenant)?.has(agentId) ?? false;
  }

  /** Agents contained in the tenant that has most of them. */
  most(): number {
    let most = 0;
    for (const agents of this.#contained.values()) most = Math.max(most, agents.size);
    return most;
  }

  /**
   * @param known counts the tenant's known agents; asked only where it matters
   * @param minContainedAgents instead of the configured one
   */
  reach(tenant: string, known: () => number, minContainedAgents = this.#options.minContainedAgents): Reach {
    const contained = this.contained(tenant);
    if (contained < minContainedAgents) return { contained, known: 0, maxContained: minContainedAgents };
    return this.limit(tenant, known(), minContainedAgents);
  }

  /** @param known the tenant's known agents */
  limit(tenant: string, known: number, minContainedAgents = this.#options.minContainedAgents): Reach {
    const { maxContainedShare } = this.#options;
    const maxContained = Math.max(minContainedAgents, Math.floor(maxContainedShare * known));
    return { contained: this.contained(tenant), known, maxContained };
  }
}

import type { AgentRecord } from './session-entry.js';

/** The agents of one tenant. Those with open sessions stay; of the others, the longest idle is forgotten first. */
export class AgentRegistry {
  readonly #agents = new Map<string, AgentRecord>();
  #oldest = this.#agents.values();

  get size(): number {
    return this.#agents.size;
  }

  get(agentId: string): AgentRecord | undefined {
    return this.#agents.get(agentId);
  }

  add(agent: AgentRecord): void {
    this.#agents.set(agent.agentId, agent);
  }

  /** Its last session went: it is the most recently used of the idle ones now. */
  idle(agent: AgentRecord): void {
    this.#agents.delete(agent.agentId);
    this.#agents.set(agent.agentId, agent);
  }

  /** Forgets the longest idle agent and gives it back; undefined when none is idle. */
  forgetOldest(): AgentRecord | undefined {
    for (let round = 0; round < 2; round++) {
      for (let next = this.#oldest.next(); next.done !== true; next = this.#oldest.next()) {
        // One with open sessions is put at the end when the last of them goes, so that it is not missed.
        if (next.value.openSessions > 0) continue;
        this.#agents.delete(next.value.agentId);
        return next.value;
      }
      this.#oldest = this.#agents.values();
    }
    return undefined;
  }
}

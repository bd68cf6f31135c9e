import { StateTable, type StatePut } from '../lib/state-table.js';
import type { CallObservation } from '../model/observation.js';

/** Gateways of one tenant that are told from other emitters; the first ones stay. */
const MAX_GATEWAYS = 1_000;
/** Gateways that must confirm what is sent against one agent; the ones seen longest ago give way. */
const MAX_PER_AGENT = 16;
/** A sighting this much newer than the last is written down: most calls change nothing. */
const NOTE_EVERY = 0.1;

export interface GuardingGatewaysOptions {
  /** How long a gateway through which an agent's calls went counts as guarding it, ms of processing time. */
  recentMs: number;
  load: (key: string) => Uint8Array | undefined;
}

/**
 * Which gateways stand between an agent and its tools: learned from the log alone. An emitter is a gateway once it has
 * asked about a call or confirmed a command, which only keys of that role may; it guards an agent as long as calls of the
 * agent come from it.
 */
export class GuardingGateways {
  readonly #recentMs: number;
  /** Gateways by tenant. */
  readonly #known: StateTable<string[]>;
  /** Processing time of the last call by gateway, by tenant and agent. */
  readonly #seen: StateTable<Record<string, number>>;

  constructor({ recentMs, load }: GuardingGatewaysOptions) {
    this.#recentMs = recentMs;
    this.#known = new StateTable({ prefix: 'gateways/', capacity: 1_024, load });
    this.#seen = new StateTable({ prefix: 'gateways-of/', capacity: 10_000, load });
  }

  /** An emitter has done what only a gateway may. */
  noteGateway(tenant: string, gatewayId: string): void {
    const known = this.#known.get(tenant) ?? [];
    if (known.includes(gatewayId) || known.length >= MAX_GATEWAYS) return;
    this.#known.set(tenant, [...known, gatewayId]);
  }

  isGateway(tenant: string, emitterId: string): boolean {
    return this.#known.get(tenant)?.includes(emitterId) ?? false;
  }

  /** A call that an emitter asks about or reports. @param now processing time, epoch ms */
  noteCall({ tenant, agentId, principalId, kind }: CallObservation, now: number): void {
    if (kind === 'tool_attempt') this.noteGateway(tenant, principalId);
    else if (!this.isGateway(tenant, principalId)) return;
    const key = `${tenant}/${agentId}`;
    const seen = this.#seen.get(key);
    const before = seen?.[principalId];
    if (before !== undefined && now - before < this.#recentMs * NOTE_EVERY) return;
    const newest = Object.entries({ ...seen, [principalId]: now })
      .filter(([, time]) => time > now - this.#recentMs)
      .sort(([, a], [, b]) => b - a)
      .slice(0, MAX_PER_AGENT);
    this.#seen.set(key, Object.fromEntries(newest));
  }

  /** Gateways that guard an agent at `now` (processing time, epoch ms), in order of their ids. */
  of(tenant: string, agentId: string, now: number): string[] {
    const seen = Object.entries(this.#seen.get(`${tenant}/${agentId}`) ?? {});
    return seen
      .filter(([, time]) => time > now - this.#recentMs)
      .map(([gatewayId]) => gatewayId)
      .sort();
  }

  drain(puts: StatePut[], deletes: string[]): void {
    this.#known.drain(puts, deletes);
    this.#seen.drain(puts, deletes);
  }
}

import { createHash } from 'node:crypto';
import { encodeState } from '../lib/state-table.js';
import type { BaselineVersion, KeptVersion, Origin, Rollback } from '../model/baseline.js';
import type { Activation } from '../model/log-record.js';
import type { Agents } from './agents.js';
import type { Fact } from './facts.js';
import type { Habits } from './habits.js';
import type { History } from './history.js';
import { WHOLE_TENANT, type KeptPlace, type KeptVersions } from './kept-versions.js';
import { unpackState, type AgentState, type RebuiltState, type TenantState } from './packed-state.js';
import type { LearningMode } from './port.js';
import { recordOf } from './session-record.js';
import type { Thresholds } from './thresholds.js';
import { versionsOf } from './versions.js';

interface Parts {
  agents: Agents;
  history: History;
  thresholds: Thresholds;
  habits: Habits;
  kept: KeptVersions;
  learning: (tenant: string) => LearningMode;
}

/** A state that takes the place of what an agent has learned. */
export interface Adopted {
  state: AgentState | RebuiltState;
  /** Taken up where the tenant has no thresholds yet: after the loss of the data directory. */
  tenantState?: TenantState;
  origin: Origin;
  /** Event time, epoch ms. */
  time: number;
}

/** Publishes what is normal for an agent as numbered versions, keeps them whole, and takes agents back to them. */
export class PublishedVersions {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Raises an agent's version and gives its features for people.
   *
   * @param time event time, epoch ms
   */
  publish(tenant: string, agentId: string, time: number, origin: Origin = {}): BaselineVersion[] {
    const { agents, kept, habits: all } = this.#parts;
    agents.publish(tenant, agentId);
    const baseline = agents.find(tenant, agentId);
    // Only of agents that are known: a version is never a way back to knowing nothing.
    if (baseline !== undefined && agents.isWarm(tenant, agentId)) {
      const { version, sessions: sessionCount } = baseline;
      const habits = all.of(tenant, agentId);
      const state = { baseline: baseline.toPlain(), ...(habits && { habits }) };
      kept.keep({ tenant, agentId }, state, { version, time, sessionCount, ...origin });
    }
    return this.rows(tenant, agentId, time, origin);
  }

  /** Keeps what the tenant's agents have in common; to be called when its thresholds were computed. */
  keepTenant(tenant: string, time: number): void {
    const { agents, kept, thresholds } = this.#parts;
    const calibration = thresholds.calibration(tenant);
    if (calibration === undefined) return;
    const version = (kept.of(tenant, WHOLE_TENANT).at(-1)?.version ?? 0) + 1;
    const pooledSessions = agents.pools.sessions(tenant);
    const pools = agents.classes(tenant).flatMap((peers) => {
      const pool = agents.pools.own(tenant, peers);
      return pool === undefined ? [] : [[peers, pool.toPlain()] as const];
    });
    const state = { pools, pooledSessions, calibration };
    kept.keep({ tenant, agentId: WHOLE_TENANT }, state, { version, time, sessionCount: pooledSessions });
  }

  /** What an agent has learned, to be adopted by another registry; undefined for an agent without baseline. */
  snapshot(tenant: string, agentId: string): RebuiltState | undefined {
    const { agents, history } = this.#parts;
    const baseline = agents.find(tenant, agentId);
    if (baseline === undefined) return undefined;
    const past = history.of(tenant, agentId).map(({ facts }) => ({ facts }));
    return { baseline: baseline.toPlain(), past };
  }

  /** Versions that an agent can be taken back to without ClickHouse, oldest first. */
  kept(tenant: string, agentId: string): KeptVersion[] {
    return agentId === WHOLE_TENANT ? [] : this.#parts.kept.of(tenant, agentId);
  }

  /** Kept versions from a place in the order of keeping on, for whoever copies them. */
  keptFrom(serial: number): Generator<KeptPlace, void, undefined> {
    return this.#parts.kept.from(serial);
  }

  /** Place in the order of keeping that the next version gets. */
  get nextSerial(): number {
    return this.#parts.kept.next;
  }

  /** The encoded state of a kept version; undefined where it is not kept any more. */
  keptBytes(place: KeptPlace): Uint8Array | undefined {
    return this.#parts.kept.bytesOf(place);
  }

  /**
   * What a person ordered, as it lies in the log: a rollback, a restore or a rebuild.
   *
   * @returns the agent's features for people; empty where the version is not kept, or the state cannot be read
   */
  replace(order: Activation): BaselineVersion[] {
    const { tenant, agentId = '', time, what, value, by = '', reason = '' } = order;
    if (what === 'rollback')
      return this.rollBack(tenant, agentId, { rollback: { toVersion: Number(value), by, reason }, time });
    const { state = '', tenantState, stateId = '', made = { observations: 0, sessions: 0, leftOut: 0 } } = order;
    try {
      return this.adopt(tenant, agentId, {
        // Whoever wrote the record had checked what it carries.
        state: unpackState(state) as AgentState | RebuiltState,
        ...(tenantState !== undefined && { tenantState: unpackState(tenantState) as TenantState }),
        origin:
          what === 'restore'
            ? { restore: { fromVersion: Number(value), stateId, by, reason } }
            : { rebuild: { ...made, by, reason } },
        time,
      });
    } catch (error) {
      if (error instanceof RangeError) return [];
      throw error;
    }
  }

  /** As `adopt`, of a version that is kept. @returns empty where it is not */
  rollBack(
    tenant: string,
    agentId: string,
    { rollback, time }: { rollback: Rollback; time: number },
  ): BaselineVersion[] {
    const state = this.#parts.kept.find({ tenant, agentId, version: rollback.toVersion });
    return state === undefined ? [] : this.adopt(tenant, agentId, { state, origin: { rollback }, time });
  }

  /**
   * Makes an agent's baseline another one, as a new version. What it learned besides is taken out of the history and of
   * the pool too; thresholds follow at the next calibration. How sessions went over the days (drift) and metric series
   * are not part of a version and stay; of an agent without any, the state's own are taken up.
   *
   * @returns its features for people
   */
  adopt(tenant: string, agentId: string, { state, tenantState, origin, time }: Adopted): BaselineVersion[] {
    const { agents, history, thresholds, habits } = this.#parts;
    const { baseline } = state;
    if (tenantState !== undefined && thresholds.calibration(tenant) === undefined)
      this.#adoptTenant(tenant, tenantState);
    // A higher number is of another data directory: nothing that was learned here is part of it.
    const isForeign = baseline.version > agents.read(tenant, agentId).version;
    const wasKnown = agents.isWarm(tenant, agentId);
    const after = isForeign || 'past' in state ? -1 : baseline.changes;
    const extraNats = new Map<string, number>();
    for (const session of history.takeBack(tenant, agentId, after)) {
      if (wasKnown) agents.pools.learn(tenant, { record: recordOf(session.facts), peers: session.peers ?? '' }, -1);
      if ('past' in state) extraNats.set(printOf(session.facts), session.extraNats);
    }
    thresholds.abandon(tenant);
    agents.rollBack(tenant, agentId, baseline);
    if ('past' in state) this.#remember(tenant, agentId, state.past, extraNats);
    else if (state.habits !== undefined) habits.adopt(tenant, agentId, state.habits);
    return this.publish(tenant, agentId, time, origin);
  }

  /** Lets go of all that was learned from an agent, also of its part in what the tenant's agents have in common. */
  forget(tenant: string, agentId: string): void {
    const { agents, history, thresholds, habits, kept } = this.#parts;
    const wasKnown = agents.isWarm(tenant, agentId);
    for (const session of history.takeBack(tenant, agentId, -1)) {
      if (wasKnown) agents.pools.learn(tenant, { record: recordOf(session.facts), peers: session.peers ?? '' }, -1);
    }
    thresholds.abandon(tenant);
    habits.forget(tenant, agentId);
    kept.forgetAgent(tenant, agentId);
    agents.forget(tenant, agentId);
  }

  /** An agent's features as they are now, under its latest version; empty for an agent without baseline. */
  rows(tenant: string, agentId: string, time: number, origin: Origin = {}): BaselineVersion[] {
    const { agents, thresholds, learning } = this.#parts;
    const baseline = agents.find(tenant, agentId);
    if (baseline === undefined) return [];
    const isWarming = thresholds.of(tenant, agentId).status === 'warming';
    const status = learning(tenant) === 'frozen' ? 'frozen' : isWarming ? 'warming' : 'learning';
    return versionsOf(baseline, { tenant, agentId, time, status }, origin);
  }

  #adoptTenant(tenant: string, { pools, pooledSessions, calibration }: TenantState): void {
    const { agents, history, thresholds } = this.#parts;
    agents.pools.replace(tenant, { classes: agents.classes(tenant), pools, sessions: pooledSessions });
    // What agents learned here meanwhile counts as well.
    for (const { facts, peers = '' } of history.known(tenant))
      agents.pools.learn(tenant, { record: recordOf(facts), peers });
    thresholds.adopt(tenant, calibration);
  }

  /** @param extraNats of sessions that were in the history: what signals said then is not in their facts */
  #remember(tenant: string, agentId: string, past: RebuiltState['past'], extraNats: ReadonlyMap<string, number>): void {
    const { agents, history } = this.#parts;
    const { changes } = agents.read(tenant, agentId);
    const peers = agents.peersOf(agentId);
    const isKnown = agents.isWarm(tenant, agentId);
    for (const { facts } of past) {
      const session = { tenant, agentId, facts, extraNats: extraNats.get(printOf(facts)) ?? 0 };
      history.add(peers === '' ? session : { ...session, peers }, changes);
      // Of one that is not known yet its peers learn when it is.
      if (isKnown) agents.pools.learn(tenant, { record: recordOf(facts), peers });
    }
  }
}

function printOf(facts: readonly Fact[]): string {
  return createHash('sha256').update(encodeState(facts)).digest('base64');
}

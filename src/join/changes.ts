import { LatePut } from '../lib/late-put.js';
import type { StateChanges } from './port.js';
import type { AgentRecord, SessionEntry } from './session-entry.js';
import type { TenantState } from './tenant-state.js';
import { windowRowState, type WindowRow } from './window-row.js';

/** Key prefix of everything the join stores. */
export const JOIN_PREFIX = 'join/';
/** Kinds of entries: the part of the key after the prefix. */
export type JoinKey = 'counters' | 'tenant' | 'emitter' | 'agent' | 'session' | 'window' | 'closed' | 'ids';

/** Numbers in keys are base 36: short, and free of anything an agent wrote. */
export function joinKey(kind: JoinKey, ...ids: number[]): string {
  return `${JOIN_PREFIX}${[kind, ...ids.map((id) => id.toString(36))].join('/')}`;
}

/** Collects what changed, so that a checkpoint writes only that. */
export class ChangeLog {
  #sessions: SessionEntry[] = [];
  #windows: WindowRow[] = [];
  #agents: AgentRecord[] = [];
  readonly #closed = new Map<string, unknown>();
  #deletes: string[] = [];

  session(entry: SessionEntry): void {
    if (entry.dirty) return;
    entry.dirty = true;
    this.#sessions.push(entry);
  }

  window(row: WindowRow): void {
    if (row.dirty) return;
    row.dirty = true;
    this.#windows.push(row);
  }

  agent(agent: AgentRecord): void {
    if (agent.dirty) return;
    agent.dirty = true;
    this.#agents.push(agent);
  }

  closedSession(tenant: TenantState, hash: number, finalBefore: number, touched: number): void {
    const key = joinKey('closed', tenant.id, hash);
    this.#closed.set(key, { tenantId: tenant.id, hash, finalBefore, touched });
  }

  forgetClosed(tenant: TenantState, hash: number): void {
    const key = joinKey('closed', tenant.id, hash);
    this.#closed.delete(key);
    this.#deletes.push(key);
  }

  sessionGone(entry: SessionEntry): void {
    entry.gone = true;
    if (entry.stored) this.#deletes.push(joinKey('session', entry.id));
  }

  windowGone(row: WindowRow): void {
    row.gone = true;
    if (row.stored) this.#deletes.push(joinKey('window', row.entry.id, row.start));
  }

  agentGone(agent: AgentRecord): void {
    agent.dirty = true;
    this.#deletes.push(joinKey('agent', agent.id));
  }

  /**
   * Adds the changes since the last call, to be read before the next one. Deletes are meant before puts: a key may be in
   * both.
   */
  drain(changes: StateChanges, isKnown: (agent: AgentRecord) => boolean): void {
    // One by one: there may be more of them than a call takes arguments.
    for (const key of this.#deletes) if (!this.#closed.has(key)) changes.deletes.push(key);
    for (const [key, value] of this.#closed) changes.puts.push({ key, value });
    for (const agent of this.#agents) {
      if (!isKnown(agent)) continue;
      agent.dirty = false;
      agent.late = new LatePut(() => {
        const { dirty: _, late: __, ...value } = agent;
        agent.late = undefined;
        return { key: joinKey('agent', agent.id), value: { ...value, heardAt: [...agent.heardAt] } };
      });
      changes.puts.push(agent.late);
    }
    for (const entry of this.#sessions) {
      entry.dirty = false;
      if (entry.gone) continue;
      entry.stored = true;
      entry.late = new LatePut(() => {
        entry.late = undefined;
        return { key: joinKey('session', entry.id), value: entry.state() };
      });
      changes.puts.push(entry.late);
    }
    for (const row of this.#windows) {
      row.dirty = false;
      if (row.gone) continue;
      row.stored = true;
      row.late = new LatePut(() => {
        row.late = undefined;
        return { key: joinKey('window', row.entry.id, row.start), value: windowRowState(row) };
      });
      changes.puts.push(row.late);
    }
    this.#sessions = [];
    this.#windows = [];
    this.#agents = [];
    this.#closed.clear();
    this.#deletes = [];
  }
}

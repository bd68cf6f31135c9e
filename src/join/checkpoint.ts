import { joinKey } from './changes.js';
import type { HeldState } from './held-state.js';
import type { StateChanges, StateEntry } from './port.js';
import { readState } from './restore.js';
import { SessionEntry, sessionKey } from './session-entry.js';
import { restoreWindowRow } from './window-row.js';

/** What changed in the state since the last call; the puts must be read before the next one. No key is in both lists. */
export function drainState(state: HeldState): StateChanges {
  const changes: StateChanges = { puts: [], deletes: [] };
  state.changes.drain(changes, (agent) => state.tenantsById.get(agent.tenantId)?.agents.get(agent.agentId) === agent);
  for (const tenant of state.tenants.values()) {
    const { changed, dropped } = tenant.clock.drain();
    for (const { id, principalId, newest, progressAt } of changed) {
      const value = { tenantId: tenant.id, id, principalId, newest, progressAt };
      changes.puts.push({ key: joinKey('emitter', tenant.id, id), value });
    }
    for (const id of dropped) changes.deletes.push(joinKey('emitter', tenant.id, id));
    const value = { id: tenant.id, name: tenant.name, clock: tenant.clock.state() };
    changes.puts.push({ key: joinKey('tenant', tenant.id), value });
  }
  changes.puts.push({ key: joinKey('counters'), value: { ...state.counters } });
  const ids = state.ids.drainChunk();
  // One by one: there may be more of them than a call takes arguments.
  for (const put of ids.puts) changes.puts.push(put);
  for (const key of ids.deletes) changes.deletes.push(key);
  return changes;
}

/** Takes up stored entries into a new state. Timers are not stored: they follow from sessions and windows. */
export function restoreState(state: HeldState, entries: Iterable<StateEntry>): void {
  const stored = readState(entries);
  state.counters = stored.counters;
  state.ids.restore(stored.ids);
  for (const { id, name, clock } of stored.tenants) {
    state.addTenant(id, name).clock.restore(clock, stored.emitters.get(id) ?? []);
  }
  const agents = new Map(stored.agents.map((agent) => [agent.id, agent]));
  for (const agent of stored.agents) {
    state.tenantsById.get(agent.tenantId)?.agents.add(agent);
    state.agentCount++;
  }
  const sessions = new Map<number, SessionEntry>();
  for (const session of stored.sessions) {
    const [id, tenantId, agentRecord, sessionId] = session;
    const tenant = state.tenantsById.get(tenantId);
    const agent = agents.get(agentRecord);
    if (tenant === undefined || agent === undefined) throw orphan(joinKey('session', id));
    const key = sessionKey(agent.agentId, sessionId ?? undefined);
    const entry = new SessionEntry(id, tenant.name, key, agent, sessionId ?? undefined);
    entry.restore(session, state.options.seed);
    sessions.set(entry.id, entry);
    tenant.sessions.add(entry);
    state.sessionCount++;
    if (!entry.closed) state.scheduleClose(tenant, entry);
  }
  for (const window of stored.windows) {
    const [entryId, start] = window;
    const entry = sessions.get(entryId);
    const tenant = entry === undefined ? undefined : state.tenants.get(entry.tenant);
    if (entry === undefined || tenant === undefined) throw orphan(joinKey('window', entryId, start));
    const row = entry.openWindow(start);
    restoreWindowRow(row, window);
    state.addWindow(tenant, row);
    if (row.pending) tenant.pending.push(row);
  }
  for (const { tenantId, hash, finalBefore } of stored.closed) {
    state.tenantsById.get(tenantId)?.closed.add(hash, finalBefore);
    state.closedCount++;
  }
}

function orphan(key: string): Error {
  return new Error(`${key}: belongs to an entry that is not stored; delete the scoring state and replay the log`);
}

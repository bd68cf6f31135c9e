import type { Observation, Stream } from '../model/observation.js';
import { ChangeLog, joinKey } from './changes.js';
import { IdRing } from './dedupe.js';
import type { CloseReason, ClosedSession, JoinOutput } from './port.js';
import { newCounters, type JoinCounters } from './restore.js';
import { SessionEntry, sessionKey, type AgentRecord } from './session-entry.js';
import { closesAt } from './sessions.js';
import { TenantState } from './tenant-state.js';
import { viewWindow, type WindowRow } from './window-row.js';

export interface JoinOptions {
  windowMs: number;
  /** How far behind its newest event an emitter's events may come, ms. */
  outOfOrderMs: number;
  /** How long after the watermark passed a window's end it is still revised, ms of event time. */
  allowedLatenessMs: number;
  /** Processing time without progress after which an emitter counts as idle, ms. */
  idleMs: number;
  /** Event time without events after which a session counts as ended, ms. */
  sessionTimeoutMs: number;
  /** Event time ahead of arrival that is still believed, ms. */
  maxFutureMs: number;
  /** Sessions held, over all tenants; as many closed ones and idle agents are remembered. */
  maxSessions: number;
  maxWindows: number;
  /** Per-install secret for the hashes; must survive a restart. */
  seed: number;
  /** Event ids remembered for exactly-once, default 500,000. */
  maxIds?: number;
  /** Emitters per tenant, default 10,000. */
  maxEmitters?: number;
  /** Event time by which one slow emitter may hold its tenant's others back, ms; default one hour. */
  maxHoldMs?: number;
  /** Streams that are missed even where they were never heard. Must depend on nothing but the log and constants. */
  expects?: (tenant: string, agentId: string) => readonly Stream[];
}

const DEFAULT_MAX_EMITTERS = 10_000;
const DEFAULT_MAX_HOLD_MS = 60 * 60_000;
/** Tenants are configured, not claimed: more than this is a mistake, and its records come out as faults. */
const MAX_TENANTS = 10_000;
const NONE: readonly Stream[] = [];

/**
 * Everything the join holds in memory, and the only place that lets go of it: by time, or by a cap. Every cap counts
 * what it evicts, and the tenant that uses most gives way first, so that a flood evicts its own.
 */
export class HeldState {
  readonly changes = new ChangeLog();
  readonly ids: IdRing;
  readonly tenants = new Map<string, TenantState>();
  readonly tenantsById = new Map<number, TenantState>();
  counters: JoinCounters = newCounters();
  sessionCount = 0;
  windowCount = 0;
  agentCount = 0;
  closedCount = 0;

  constructor(readonly options: JoinOptions) {
    this.ids = new IdRing({
      seed: options.seed,
      prefix: `${joinKey('ids')}/`,
      ...(options.maxIds === undefined ? {} : { capacity: options.maxIds }),
    });
  }

  tenant(name: string): TenantState {
    const known = this.tenants.get(name);
    if (known !== undefined) return known;
    if (this.tenants.size >= MAX_TENANTS) throw new RangeError(`tenant: more than ${MAX_TENANTS} tenants`);
    return this.addTenant(this.counters.nextId++, name);
  }

  addTenant(id: number, name: string): TenantState {
    const { maxEmitters = DEFAULT_MAX_EMITTERS, maxHoldMs = DEFAULT_MAX_HOLD_MS } = this.options;
    const tenant = new TenantState(id, name, { ...this.options, maxEmitters, maxHoldMs });
    this.tenants.set(name, tenant);
    this.tenantsById.set(id, tenant);
    return tenant;
  }

  /** The session of an observation, which may be changed now. One that was closed before comes back closed. */
  session(tenant: TenantState, observation: Observation, out: JoinOutput[]): SessionEntry {
    const { agentId, sessionId } = observation;
    const key = sessionKey(agentId, sessionId);
    const known = tenant.sessions.get(key);
    if (known !== undefined) {
      known.keep();
      return known;
    }
    while (this.sessionCount >= this.options.maxSessions) this.#evictSession(out);
    const agent = this.#agent(tenant, agentId);
    agent.late?.fix();
    agent.openSessions++;
    this.changes.agent(agent);
    const entry = new SessionEntry(this.counters.nextId++, observation.tenant, key, agent, sessionId);
    if (sessionId !== undefined) this.#recallClosed(tenant, entry);
    tenant.sessions.add(entry);
    this.sessionCount++;
    return entry;
  }

  openWindow(tenant: TenantState, entry: SessionEntry, start: number, out: JoinOutput[]): WindowRow {
    while (this.windowCount >= this.options.maxWindows) this.#evictWindow(entry, out);
    const row = entry.openWindow(start);
    this.addWindow(tenant, row);
    return row;
  }

  /** Counts a window in and gives it its timer. */
  addWindow(tenant: TenantState, row: WindowRow): void {
    tenant.openWindows++;
    this.windowCount++;
    this.scheduleWindow(tenant, row);
  }

  scheduleWindow(tenant: TenantState, row: WindowRow): void {
    const end = row.start + this.options.windowMs;
    const isPast = end <= tenant.clock.watermark;
    const at = isPast ? end + this.options.allowedLatenessMs : end;
    tenant.windowTimers.push({ at, rank: 2 * row.entry.id + (isPast ? 1 : 0), subject: row });
  }

  scheduleClose(tenant: TenantState, entry: SessionEntry): void {
    tenant.sessionTimers.push({ at: closesAt(entry, this.options), rank: entry.id, subject: entry });
  }

  /** Gives a window's (next) result. */
  emit(row: WindowRow, out: JoinOutput[]): void {
    const { entry } = row;
    entry.keep();
    const expected = this.options.expects?.(entry.tenant, entry.agent.agentId) ?? NONE;
    out.push({ type: 'window', value: viewWindow(row, this.options.windowMs, expected) });
    if (row.results === 0) this.counters.windows++;
    else this.counters.revisions++;
    row.results++;
    row.pending = false;
    this.changes.window(row);
  }

  dropWindow(tenant: TenantState, row: WindowRow): void {
    const { entry } = row;
    entry.keep();
    const end = row.start + this.options.windowMs;
    entry.windows = entry.windows.filter((other) => other !== row);
    entry.finalBefore = Math.max(entry.finalBefore, end);
    entry.calls?.settle(end);
    this.changes.windowGone(row);
    this.changes.session(entry);
    tenant.openWindows--;
    this.windowCount--;
  }

  close(tenant: TenantState, entry: SessionEntry, reason: CloseReason, out: JoinOutput[]): void {
    entry.keep();
    entry.closed = true;
    this.counters.afterClose += entry.beyond;
    this.changes.session(entry);
    this.counters.sessionsClosed++;
    const { tenant: name, sessionId, firstTime, lastTime, events } = entry;
    const value: ClosedSession = { tenant: name, agentId: entry.agent.agentId, firstTime, lastTime, events, reason };
    if (sessionId !== undefined) value.sessionId = sessionId;
    out.push({ type: 'session-closed', value });
    this.release(tenant, entry);
  }

  /** Lets go of a session that is closed and whose windows are all final; what remains is the mark that it was. */
  release(tenant: TenantState, entry: SessionEntry): void {
    if (entry.gone || !entry.closed || entry.windows.length > 0) return;
    entry.keep();
    tenant.sessions.remove(entry);
    this.sessionCount--;
    this.changes.sessionGone(entry);
    if (entry.sessionId !== undefined) this.#rememberClosed(tenant, entry);
    const { agent } = entry;
    agent.openSessions--;
    this.changes.agent(agent);
    if (agent.openSessions > 0) return;
    agent.touched = this.counters.nextId++;
    tenant.agents.idle(agent);
    while (this.agentCount > this.options.maxSessions) {
      const gone = this.#largest((other) => other.agents.size).agents.forgetOldest();
      if (gone === undefined) break;
      this.changes.agentGone(gone);
      this.agentCount--;
      this.counters.agentsEvicted++;
    }
  }

  #agent(tenant: TenantState, agentId: string): AgentRecord {
    const known = tenant.agents.get(agentId);
    if (known !== undefined) return known;
    const agent: AgentRecord = {
      id: this.counters.nextId++,
      tenantId: tenant.id,
      agentId,
      heardAt: [Infinity, Infinity, Infinity, Infinity],
      openSessions: 0,
      touched: 0,
      dirty: false,
    };
    tenant.agents.add(agent);
    this.agentCount++;
    return agent;
  }

  #recallClosed(tenant: TenantState, entry: SessionEntry): void {
    const hash = tenant.closedHash(entry.key);
    const finalBefore = tenant.closed.get(hash);
    if (finalBefore === undefined) return;
    entry.closed = true;
    entry.finalBefore = finalBefore;
    tenant.closed.delete(hash);
    this.closedCount--;
    this.changes.forgetClosed(tenant, hash);
  }

  #rememberClosed(tenant: TenantState, entry: SessionEntry): void {
    const hash = tenant.closedHash(entry.key);
    tenant.closed.add(hash, entry.finalBefore);
    this.closedCount++;
    this.changes.closedSession(tenant, hash, entry.finalBefore, this.counters.nextId++);
    while (this.closedCount > this.options.maxSessions) {
      const largest = this.#largest((other) => other.closed.size);
      const gone = largest.closed.forgetOldest();
      if (gone === undefined) break;
      this.changes.forgetClosed(largest, gone);
      this.closedCount--;
      this.counters.closedForgotten++;
    }
  }

  #evictSession(out: JoinOutput[]): void {
    const tenant = this.#largest((other) => other.sessions.size);
    const entry = tenant.sessions.oldest;
    if (entry === undefined) throw new Error('no session to evict');
    for (const row of entry.windows.toSorted((a, b) => a.start - b.start)) {
      if (row.results === 0 || row.pending) this.emit(row, out);
      this.dropWindow(tenant, row);
    }
    this.counters.sessionsEvicted++;
    if (entry.closed) this.release(tenant, entry);
    else this.close(tenant, entry, 'evicted', out);
  }

  /** Gives the window that would be due first early, so that its room can be used. */
  #evictWindow(current: SessionEntry, out: JoinOutput[]): void {
    const tenant = this.#largest((other) => other.openWindows);
    let row = tenant.windowTimers.pop()?.subject;
    while (row?.gone === true) row = tenant.windowTimers.pop()?.subject;
    if (row === undefined) throw new Error('no window to evict');
    if (row.results === 0 || row.pending) this.emit(row, out);
    this.dropWindow(tenant, row);
    this.counters.windowsEvicted++;
    if (row.entry !== current) this.release(tenant, row.entry);
  }

  #largest(sizeOf: (tenant: TenantState) => number): TenantState {
    let largest: TenantState | undefined;
    for (const tenant of this.tenants.values()) {
      if (largest === undefined || sizeOf(tenant) > sizeOf(largest)) largest = tenant;
    }
    if (largest === undefined) throw new Error('no tenant');
    return largest;
  }
}

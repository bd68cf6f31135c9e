import type { LatePut } from '../lib/late-put.js';
import { CallTable, type CallTableState } from './calls.js';
import type { CloseReason } from './port.js';
import { newWindowRow, type WindowRow } from './window-row.js';

/** What is known of an agent beyond its sessions: which streams it was ever heard on. */
export interface AgentRecord {
  readonly id: number;
  readonly tenantId: number;
  readonly agentId: string;
  /** Earliest event time per stream, epoch ms; Infinity for never. */
  heardAt: number[];
  openSessions: number;
  /** Place in the log when its last session went; orders the idle ones for eviction. */
  touched: number;
  dirty: boolean;
  /** Handed over to a checkpoint that has not encoded it yet. */
  late?: LatePut<unknown> | undefined;
}

/** What survives a restart: a tuple, because one is written for every session that a checkpoint finds changed. */
export type SessionEntryState = [
  id: number,
  tenantId: number,
  agentRecord: number,
  sessionId: string | null,
  /** The seven times of the entry, then the four of `heardAt`. */
  times: Float64Array,
  events: number,
  beyond: number,
  closed: boolean,
  endReason: CloseReason,
  touched: number,
  calls: CallTableState | null,
];

/**
 * One session of one agent (or the agent's events outside any session) while the join holds it: until it is closed
 * and its last window is final.
 */
export class SessionEntry {
  sessionId?: string;
  /** Earliest and latest event time, epoch ms. */
  firstTime = Infinity;
  lastTime = -Infinity;
  /** Event time up to which the session was alive, for the timeout: a late event keeps it alive from now on. */
  aliveAt = -Infinity;
  /** Event time of the earliest event that ends it; Infinity while there is none. */
  endAt = Infinity;
  /** Events that came after the timeout's gap while earlier ones could still fill it. */
  beyondFirst = Infinity;
  beyondLast = -Infinity;
  beyond = 0;
  events = 0;
  /** Windows that end at or before this are final, whatever the watermark says. */
  finalBefore = -Infinity;
  endReason: CloseReason = 'timeout';
  /** Given out as closed (or never to be, where there is no session). */
  closed = false;
  heardAt = [Infinity, Infinity, Infinity, Infinity];
  calls: CallTable | undefined;
  windows: WindowRow[] = [];
  /** Place in the log of its latest event: the order of eviction. */
  touched = 0;
  older: SessionEntry | undefined;
  newer: SessionEntry | undefined;
  dirty = false;
  stored = false;
  gone = false;
  /** Handed over to a checkpoint that has not encoded it yet. */
  late: LatePut<unknown> | undefined;

  /**
   * @param key unique within the tenant
   * @param tenant name, as observations carry it
   */
  constructor(
    readonly id: number,
    readonly tenant: string,
    readonly key: string,
    readonly agent: AgentRecord,
    sessionId: string | undefined,
  ) {
    if (sessionId !== undefined) this.sessionId = sessionId;
  }

  windowAt(start: number): WindowRow | undefined {
    for (let i = this.windows.length - 1; i >= 0; i--) {
      const row = this.windows[i];
      if (row?.start === start) return row;
    }
    return undefined;
  }

  /**
   * To be called before the session, one of its windows or its agent changes: a checkpoint that is being encoded shows
   * them as they were.
   */
  keep(): void {
    this.late?.fix();
    this.agent.late?.fix();
    for (const { late } of this.windows) late?.fix();
  }

  openWindow(start: number): WindowRow {
    const row = newWindowRow(this, start);
    this.windows.push(row);
    return row;
  }

  state(): SessionEntryState {
    return [
      this.id,
      this.agent.tenantId,
      this.agent.id,
      this.sessionId ?? null,
      Float64Array.of(
        this.firstTime,
        this.lastTime,
        this.aliveAt,
        this.endAt,
        this.beyondFirst,
        this.beyondLast,
        this.finalBefore,
        ...this.heardAt,
      ),
      this.events,
      this.beyond,
      this.closed,
      this.endReason,
      this.touched,
      this.calls?.state() ?? null,
    ];
  }

  restore(state: SessionEntryState, seed: number): void {
    const [, , , , times, events, beyond, closed, endReason, touched, calls] = state;
    const [first, last, alive, end, beyondFirst, beyondLast, finalBefore, ...heardAt] = times;
    this.firstTime = first ?? Infinity;
    this.lastTime = last ?? -Infinity;
    this.aliveAt = alive ?? -Infinity;
    this.endAt = end ?? Infinity;
    this.beyondFirst = beyondFirst ?? Infinity;
    this.beyondLast = beyondLast ?? -Infinity;
    this.finalBefore = finalBefore ?? -Infinity;
    this.heardAt = heardAt;
    this.events = events;
    this.beyond = beyond;
    this.closed = closed;
    this.endReason = endReason;
    this.touched = touched;
    this.calls = calls === null ? undefined : new CallTable(seed, calls);
    this.stored = true;
  }
}

/** Unambiguous whatever characters the ids hold: the agent's length tells where the session begins. */
export function sessionKey(agentId: string, sessionId: string | undefined): string {
  return sessionId === undefined ? `${agentId.length}:${agentId}` : `${agentId.length}:${agentId}${sessionId}`;
}

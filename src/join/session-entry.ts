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
}

/** Session state that survives a restart. */
export interface SessionEntryState {
  id: number;
  tenantId: number;
  agentRecord: number;
  sessionId?: string;
  times: number[];
  heardAt: number[];
  events: number;
  beyond: number;
  closed: boolean;
  endReason: CloseReason;
  touched: number;
  calls?: CallTableState;
}

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

  openWindow(start: number): WindowRow {
    const row = newWindowRow(this, start);
    this.windows.push(row);
    return row;
  }

  state(): SessionEntryState {
    return {
      id: this.id,
      tenantId: this.agent.tenantId,
      agentRecord: this.agent.id,
      ...(this.sessionId === undefined ? {} : { sessionId: this.sessionId }),
      times: [
        this.firstTime,
        this.lastTime,
        this.aliveAt,
        this.endAt,
        this.beyondFirst,
        this.beyondLast,
        this.finalBefore,
      ],
      heardAt: [...this.heardAt],
      events: this.events,
      beyond: this.beyond,
      closed: this.closed,
      endReason: this.endReason,
      touched: this.touched,
      ...(this.calls === undefined ? {} : { calls: this.calls.state() }),
    };
  }

  restore(state: SessionEntryState, seed: number): void {
    const [first, last, alive, end, beyondFirst, beyondLast, finalBefore] = state.times;
    this.firstTime = first ?? Infinity;
    this.lastTime = last ?? -Infinity;
    this.aliveAt = alive ?? -Infinity;
    this.endAt = end ?? Infinity;
    this.beyondFirst = beyondFirst ?? Infinity;
    this.beyondLast = beyondLast ?? -Infinity;
    this.finalBefore = finalBefore ?? -Infinity;
    this.heardAt = [...state.heardAt];
    this.events = state.events;
    this.beyond = state.beyond;
    this.closed = state.closed;
    this.endReason = state.endReason;
    this.touched = state.touched;
    this.calls = state.calls === undefined ? undefined : new CallTable(seed, state.calls);
    this.stored = true;
  }
}

/** Unambiguous whatever characters the ids hold: the agent's length tells where the session begins. */
export function sessionKey(agentId: string, sessionId: string | undefined): string {
  return sessionId === undefined ? `${agentId.length}:${agentId}` : `${agentId.length}:${agentId}${sessionId}`;
}

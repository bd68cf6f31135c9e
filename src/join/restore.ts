import { JOIN_PREFIX } from './changes.js';
import type { JoinStats, StateEntry } from './port.js';
import type { AgentRecord, SessionEntryState } from './session-entry.js';
import type { ClockState, EmitterState } from './watermark.js';
import type { WindowRowState } from './window-row.js';

/** The counters that are kept over a restart; the rest of the statistics are sizes. */
export type JoinCounters = Omit<
  JoinStats,
  'openSessions' | 'openWindows' | 'knownAgents' | 'emitters' | 'emittersEvicted' | 'rememberedClosed'
> & {
  /** Processing time, epoch ms: the greatest `observedAt` or tick so far. */
  now: number;
  /** Next internal id. */
  nextId: number;
};

export function newCounters(): JoinCounters {
  return {
    now: -Infinity,
    nextId: 1,
    records: 0,
    observations: 0,
    duplicates: 0,
    future: 0,
    lateInWindow: 0,
    lateDropped: 0,
    afterClose: 0,
    windows: 0,
    revisions: 0,
    sessionsClosed: 0,
    sessionsEvicted: 0,
    windowsEvicted: 0,
    agentsEvicted: 0,
    closedForgotten: 0,
    callsForgotten: 0,
    faults: 0,
  };
}

interface StoredTenant {
  id: number;
  name: string;
  clock: ClockState;
}

interface StoredClosed {
  tenantId: number;
  hash: number;
  finalBefore: number;
  touched: number;
}

/** Everything stored, sorted into the order in which it must be taken up. */
export interface StoredJoin {
  counters: JoinCounters;
  tenants: StoredTenant[];
  emitters: Map<number, EmitterState[]>;
  agents: AgentRecord[];
  sessions: SessionEntryState[];
  windows: WindowRowState[];
  closed: StoredClosed[];
  ids: { key: string; value: Uint8Array }[];
}

/** Sorts stored entries by kind, and each kind by its place in the log. */
export function readState(entries: Iterable<StateEntry>): StoredJoin {
  const state: StoredJoin = {
    counters: newCounters(),
    tenants: [],
    emitters: new Map(),
    agents: [],
    sessions: [],
    windows: [],
    closed: [],
    ids: [],
  };
  for (const { key, value } of entries) readEntry(state, key, value);
  state.tenants.sort((a, b) => a.id - b.id);
  state.agents.sort((a, b) => a.touched - b.touched || a.id - b.id);
  const touchedOf = ([, , , , , , , , , touched]: SessionEntryState): number => touched;
  state.sessions.sort((a, b) => touchedOf(a) - touchedOf(b));
  state.windows.sort(([entryA, startA], [entryB, startB]) => startA - startB || entryA - entryB);
  state.closed.sort((a, b) => a.touched - b.touched);
  return state;
}

// The casts: only `drainChanges` writes under this prefix, and the key says which shape it wrote.
function readEntry(state: StoredJoin, key: string, value: unknown): void {
  const kind = key.slice(JOIN_PREFIX.length).split('/', 1)[0] ?? '';
  switch (kind) {
    case 'counters':
      state.counters = { ...newCounters(), ...(value as JoinCounters) };
      break;
    case 'tenant':
      state.tenants.push(value as StoredTenant);
      break;
    case 'emitter': {
      const { tenantId, ...emitter } = value as EmitterState & { tenantId: number };
      const list = state.emitters.get(tenantId);
      if (list === undefined) state.emitters.set(tenantId, [emitter]);
      else list.push(emitter);
      break;
    }
    case 'agent':
      state.agents.push({ ...(value as Omit<AgentRecord, 'dirty'>), dirty: false });
      break;
    case 'session':
      state.sessions.push(value as SessionEntryState);
      break;
    case 'window':
      state.windows.push(value as WindowRowState);
      break;
    case 'closed':
      state.closed.push(value as StoredClosed);
      break;
    case 'ids':
      state.ids.push({ key, value: value as Uint8Array });
      break;
    default:
      throw new Error(`${key}: not an entry of the join; delete the scoring state and replay the log`);
  }
}

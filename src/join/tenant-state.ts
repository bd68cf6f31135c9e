import { hash53, murmur32 } from '../lib/hash.js';
import { AgentRegistry } from './agents.js';
import { ClosedSessions } from './closed-sessions.js';
import type { SessionEntry } from './session-entry.js';
import { SessionTable } from './sessions.js';
import { TimerHeap } from './timers.js';
import { TenantClock, type WatermarkOptions } from './watermark.js';
import type { WindowRow } from './window-row.js';

/** Everything the join holds for one tenant: its own time, sessions and windows, so that tenants cannot interfere. */
export class TenantState {
  readonly clock: TenantClock;
  readonly sessions = new SessionTable();
  readonly agents = new AgentRegistry();
  readonly closed = new ClosedSessions();
  /** A window's first result, then its end. Every open window has exactly one timer. */
  readonly windowTimers = new TimerHeap<WindowRow>();
  readonly sessionTimers = new TimerHeap<SessionEntry>();
  /** Windows with a revision due. */
  pending: WindowRow[] = [];
  openWindows = 0;
  readonly #seed: number;

  constructor(
    readonly id: number,
    readonly name: string,
    options: Omit<WatermarkOptions, 'saltSeed'> & { seed: number },
  ) {
    this.#seed = murmur32(name, options.seed);
    this.clock = new TenantClock({ ...options, saltSeed: this.#seed });
  }

  /** What a closed session is remembered by. */
  closedHash(key: string): number {
    return hash53(key, this.#seed);
  }
}

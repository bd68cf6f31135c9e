import { STREAMS, type Observation, type Stream } from '../model/observation.js';
import { joinCalls } from './call-join.js';
import { drainState, restoreState } from './checkpoint.js';
import { HeldState, type JoinOptions } from './held-state.js';
import type { JoinInput, JoinOutput, JoinStats, StateChanges, StateEntry } from './port.js';
import type { SessionEntry } from './session-entry.js';
import { closesAt, noteEvent, windowStart } from './sessions.js';
import type { TenantState } from './tenant-state.js';
import { tally, type WindowRow } from './window-row.js';

/**
 * The join: event time, keyed windows, sessions and silence over the four streams of one partition's log.
 *
 * A deterministic function of the log. However the log is cut into slices, and wherever it is interrupted and
 * restored, the outputs are the same. No clock, no randomness; processing time is the greatest `observedAt` or tick.
 */
export class EventTimeJoin {
  readonly #options: JoinOptions;
  readonly #state: HeldState;

  constructor(options: JoinOptions) {
    this.#options = options;
    this.#state = new HeldState(options);
  }

  /** Takes the next records of the log and gives what follows from them, in the order in which it must be processed. */
  push(slice: readonly JoinInput[]): JoinOutput[] {
    const out: JoinOutput[] = [];
    for (const input of slice) {
      this.#state.counters.records++;
      try {
        this.#take(input, out);
      } catch (error) {
        this.#state.counters.faults++;
        out.push({ type: 'fault', input, error: error instanceof Error ? error.message : String(error) });
      }
    }
    return out;
  }

  /** Event time up to which a tenant's windows have been given, epoch ms; -Infinity before its first event. */
  watermark(tenant: string): number {
    return this.#state.tenants.get(tenant)?.clock.watermark ?? -Infinity;
  }

  stats(): JoinStats {
    const { counters, tenants, sessionCount, windowCount, agentCount, closedCount } = this.#state;
    const { now: _now, nextId: _nextId, ...counted } = counters;
    const clocks = [...tenants.values()].map(({ clock }) => clock);
    return {
      ...counted,
      emitters: clocks.reduce((sum, { emitterCount }) => sum + emitterCount, 0),
      emittersEvicted: clocks.reduce((sum, { evicted }) => sum + evicted, 0),
      openSessions: sessionCount,
      openWindows: windowCount,
      knownAgents: agentCount,
      rememberedClosed: closedCount,
    };
  }

  /** What changed since the last call, to be stored with the position of the last record pushed. */
  drainChanges(): StateChanges {
    return drainState(this.#state);
  }

  /** Takes up everything stored under `join/`. Only on a new join, before the first record. */
  restore(entries: Iterable<StateEntry>): void {
    restoreState(this.#state, entries);
  }

  #take(input: JoinInput, out: JoinOutput[]): void {
    if (input.type === 'observation') {
      this.#observe(input, input.value, out);
      return;
    }
    out.push(input);
    if (input.type !== 'tick') return;
    const { now } = input.value;
    if (!Number.isFinite(now)) throw new RangeError('tick.now: must be a finite number of ms');
    const { counters, tenants } = this.#state;
    counters.now = Math.max(counters.now, now);
    for (const tenant of tenants.values()) {
      tenant.clock.advance(counters.now, true);
      this.#revise(tenant, out);
      this.#settle(tenant, out);
    }
  }

  #observe(input: JoinInput, observation: Observation, out: JoinOutput[]): void {
    if (!Number.isFinite(observation.time) || !Number.isFinite(observation.observedAt)) {
      throw new RangeError('time, observedAt: must be finite numbers of ms');
    }
    const state = this.#state;
    const { counters } = state;
    const tenant = state.tenant(observation.tenant);
    if (observation.observedAt > counters.now) counters.now = observation.observedAt;
    const emitter = tenant.clock.emitter(observation.principalId);
    if (!state.ids.add(observation.id, emitter.salt)) {
      counters.duplicates++;
      out.push({ type: 'duplicate', value: observation });
      return;
    }
    counters.observations++;
    out.push(input);
    const time = tenant.clock.observe(emitter, observation, counters.now);
    if (time !== observation.time) {
      counters.future++;
      const aheadMs = observation.time - observation.observedAt;
      out.push({ type: 'future', value: observation, aheadMs, placedAt: time });
    }
    const entry = state.session(tenant, observation, out);
    this.#place(tenant, entry, { observation, time }, out);
    if (tenant.clock.advance(counters.now, false)) this.#revise(tenant, out);
    this.#settle(tenant, out);
    state.release(tenant, entry);
  }

  /** Counts the observation into its session, its window and its call. */
  #place(
    tenant: TenantState,
    entry: SessionEntry,
    { observation, time }: { observation: Observation; time: number },
    out: JoinOutput[],
  ): void {
    const { counters, changes } = this.#state;
    this.#hear(entry, observation.stream, time);
    const wasClosed = entry.closed;
    if (wasClosed) {
      counters.afterClose++;
      out.push({ type: 'late', value: observation, cause: 'session-closed' });
    } else {
      this.#live(tenant, entry, { observation, time });
    }
    const { windowMs, allowedLatenessMs, seed } = this.#options;
    const { watermark } = tenant.clock;
    const start = windowStart(time, windowMs);
    const end = start + windowMs;
    const isLate = end <= watermark;
    let row: WindowRow | undefined;
    if (end + allowedLatenessMs <= watermark || end <= entry.finalBefore) {
      counters.lateDropped++;
      if (!wasClosed) out.push({ type: 'late', value: observation, cause: 'window-final' });
    } else {
      row = entry.windowAt(start) ?? this.#state.openWindow(tenant, entry, start, out);
      tally(row, observation, time, isLate);
      changes.window(row);
      if (isLate) {
        counters.lateInWindow++;
        this.#await(tenant, row);
      }
    }
    joinCalls(
      { entry, observation, time, row },
      { windowMs, seed, recounted: (other) => this.#recounted(tenant, other) },
    );
    if (entry.calls !== undefined) counters.callsForgotten += entry.calls.takeForgotten();
    entry.touched = counters.records;
    tenant.sessions.touch(entry);
    changes.session(entry);
    if (!isLate) return;
    for (const other of entry.windows) {
      // What came late may also settle which calls of later windows were declared.
      if (other.start > start && other.results > 0) this.#await(tenant, other);
    }
  }

  /** Counts the observation into the session's life, and sees to it that a timer stands when it may close. */
  #live(tenant: TenantState, entry: SessionEntry, event: { observation: Observation; time: number }): void {
    const { firstTime, endAt } = entry;
    noteEvent(entry, { ...event, watermark: tenant.clock.watermark }, this.#options);
    // A timer that is too early is harmless, one that is too late is not: only a new or an ended session needs one.
    if (firstTime === Infinity || entry.endAt !== endAt) this.#state.scheduleClose(tenant, entry);
  }

  #hear(entry: SessionEntry, stream: Stream, time: number): void {
    const index = STREAMS.indexOf(stream);
    if (time < (entry.heardAt[index] ?? Infinity)) entry.heardAt[index] = time;
    if (time < (entry.agent.heardAt[index] ?? Infinity)) {
      entry.agent.heardAt[index] = time;
      this.#state.changes.agent(entry.agent);
    }
  }

  #recounted(tenant: TenantState, row: WindowRow): void {
    this.#state.changes.window(row);
    if (row.results > 0) this.#await(tenant, row);
  }

  /** A revision is given when the watermark next moves or a tick comes: a burst of late events gives one, not many. */
  #await(tenant: TenantState, row: WindowRow): void {
    if (row.pending) return;
    row.pending = true;
    this.#state.changes.window(row);
    tenant.pending.push(row);
  }

  #revise(tenant: TenantState, out: JoinOutput[]): void {
    if (tenant.pending.length === 0) return;
    const rows = tenant.pending.sort((a, b) => a.start - b.start || a.entry.id - b.entry.id);
    tenant.pending = [];
    for (const row of rows) {
      if (!row.gone && row.pending) this.#state.emit(row, out);
    }
  }

  /** Gives everything that the watermark has passed: windows by their end, then sessions by their close. */
  #settle(tenant: TenantState, out: JoinOutput[]): void {
    const state = this.#state;
    const { windowTimers, sessionTimers } = tenant;
    const { watermark } = tenant.clock;
    while (windowTimers.nextAt <= watermark) {
      const row = windowTimers.pop()?.subject;
      if (row === undefined || row.gone) continue;
      if (row.results === 0) state.emit(row, out);
      if (row.start + this.#options.windowMs + this.#options.allowedLatenessMs > watermark) {
        state.scheduleWindow(tenant, row);
        continue;
      }
      state.dropWindow(tenant, row);
      state.release(tenant, row.entry);
    }
    while (sessionTimers.nextAt <= watermark) {
      const timer = sessionTimers.pop();
      if (timer === undefined || timer.subject.gone || timer.subject.closed) continue;
      const entry = timer.subject;
      // A session that lived on after its timer was set gets a new one even when that is due as well: sessions close
      // in the order of their closing times, not in that of their timers.
      if (closesAt(entry, this.#options) > timer.at) state.scheduleClose(tenant, entry);
      else state.close(tenant, entry, entry.endReason, out);
    }
  }
}

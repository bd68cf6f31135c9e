import type { Stream } from '../model/observation.js';
import type { Principal } from '../model/principal.js';
import type { HeardStream, RefusedReason, SourceReport } from '../model/source-report.js';

/** How far back is shown, and in what steps, ms. */
const STEP_MS = 60_000;
const STEPS = 15;
/** Different reasons kept of one emitter; what is beyond is counted only. */
const MAX_REASONS = 32;
const SHOWN_REASONS = 5;
/** Arrivals after which an emitter's rhythm counts as known. */
const MIN_ARRIVALS = 20;
/** How many times its longest pause it must be silent to be named, and at least how long, ms. */
const QUIET_FACTOR = 4;
const MIN_QUIET_MS = 60_000;
/** Each arrival makes the longest pause count a little less, so that one night off is forgotten. */
const PAUSE_DECAY = 0.995;

interface Heard {
  format: string;
  stream: Stream;
  lastSeen: number;
  lagMs: number;
  steps: number[];
  step: number;
}

interface Source {
  tenant: string;
  lastSeen: number | undefined;
  /** Since when it is waited for: its last record, or the start. */
  waitedSince: number;
  arrivals: number;
  longestPauseMs: number;
  heard: Map<string, Heard>;
  refused: Map<string, RefusedReason>;
  refusedInAll: number;
  placedBy: Map<string, number>;
}

/** An emitter that is expected to be heard of. */
export interface ExpectedSource {
  id: string;
  tenant: string;
  /** Silence that is worth an incident, ms. */
  silentAfterMs?: number | undefined;
}

/** What arrived from whom in the last minutes. Memory: per key of the install, format and stream. */
export class SourceLedger {
  readonly #sources = new Map<string, Source>();
  readonly #expected: readonly ExpectedSource[];

  /** @param now processing time of the start, epoch ms */
  constructor(expected: readonly ExpectedSource[], now: number) {
    this.#expected = expected;
    for (const { id, tenant } of expected) this.#source({ id, tenant }, now);
  }

  /** @param lagMs processing time less event time */
  heard(
    principal: Pick<Principal, 'id' | 'tenant'>,
    { format, stream, lagMs }: { format: string; stream: Stream; lagMs: number },
    now: number,
  ): void {
    const { heard } = this.#source(principal, now);
    const key = `${format}/${stream}`;
    let entry = heard.get(key);
    if (entry === undefined) {
      entry = { format, stream, lastSeen: now, lagMs, steps: Array<number>(STEPS).fill(0), step: stepOf(now) };
      heard.set(key, entry);
    }
    turnTo(entry, now);
    entry.lastSeen = now;
    entry.lagMs = lagMs;
    entry.steps[entry.step % STEPS] = (entry.steps[entry.step % STEPS] ?? 0) + 1;
  }

  /** A request of the emitter has come, whatever is in it. */
  arrived(principal: Pick<Principal, 'id' | 'tenant'>, now: number): void {
    const source = this.#source(principal, now);
    if (source.lastSeen !== undefined) {
      source.longestPauseMs = Math.max(now - source.lastSeen, source.longestPauseMs * PAUSE_DECAY);
    }
    source.arrivals++;
    source.lastSeen = now;
    source.waitedSince = now;
  }

  refused(principal: Pick<Principal, 'id' | 'tenant'>, reason: Omit<RefusedReason, 'count'>, now: number): void {
    const source = this.#source(principal, now);
    source.refusedInAll++;
    const key = JSON.stringify([reason.format, reason.field, reason.reason]);
    const known = source.refused.get(key);
    if (known !== undefined) known.count++;
    else if (source.refused.size < MAX_REASONS) source.refused.set(key, { ...reason, count: 1 });
  }

  /** @param by one of a few words */
  placed(principal: Pick<Principal, 'id' | 'tenant'>, by: string, now: number): void {
    const { placedBy } = this.#source(principal, now);
    placedBy.set(by, (placedBy.get(by) ?? 0) + 1);
  }

  /** Emitters of which nothing has come for longer than is configured. */
  silent(now: number): { id: string; tenant: string; forMs: number; expectedMs: number }[] {
    return this.#expected.flatMap(({ id, tenant, silentAfterMs }) => {
      const source = this.#sources.get(id);
      if (source === undefined || silentAfterMs === undefined) return [];
      const forMs = now - source.waitedSince;
      return forMs > silentAfterMs ? [{ id, tenant, forMs, expectedMs: silentAfterMs }] : [];
    });
  }

  /** The emitters of a tenant, by id. */
  report(tenant: string, now: number): Omit<SourceReport, 'shed'>[] {
    return [...this.#sources]
      .filter(([, source]) => source.tenant === tenant)
      .map(([principalId, source]) => reportOf(principalId, source, this.#silenceOf(principalId, source, now), now))
      .sort((a, b) => (a.principalId < b.principalId ? -1 : 1));
  }

  #silenceOf(id: string, source: Source, now: number): SourceReport['silent'] {
    const forMs = now - source.waitedSince;
    const configured = this.#expected.find((one) => one.id === id)?.silentAfterMs;
    if (configured !== undefined) {
      return forMs > configured ? { forMs, expectedMs: configured, isLearned: false } : undefined;
    }
    const expectedMs = Math.max(MIN_QUIET_MS, QUIET_FACTOR * source.longestPauseMs);
    return source.arrivals >= MIN_ARRIVALS && forMs > expectedMs ? { forMs, expectedMs, isLearned: true } : undefined;
  }

  #source({ id, tenant }: Pick<Principal, 'id' | 'tenant'>, now: number): Source {
    let source = this.#sources.get(id);
    if (source === undefined) {
      source = {
        tenant,
        lastSeen: undefined,
        waitedSince: now,
        arrivals: 0,
        longestPauseMs: 0,
        heard: new Map(),
        refused: new Map(),
        refusedInAll: 0,
        placedBy: new Map(),
      };
      this.#sources.set(id, source);
    }
    return source;
  }
}

function reportOf(
  principalId: string,
  source: Source,
  silent: SourceReport['silent'],
  now: number,
): Omit<SourceReport, 'shed'> {
  const heard = [...source.heard.values()].map((entry): HeardStream => {
    turnTo(entry, now);
    const { format, stream, lastSeen, lagMs } = entry;
    return { format, stream, lastSeen, lagMs, records: entry.steps.reduce((sum, count) => sum + count, 0) };
  });
  const refused = [...source.refused.values()].sort((a, b) => b.count - a.count).slice(0, SHOWN_REASONS);
  return {
    principalId,
    ...(source.lastSeen === undefined ? {} : { lastSeen: source.lastSeen }),
    heard,
    refused: refused.map((one) => ({ ...one })),
    refusedInAll: source.refusedInAll,
    placedBy: Object.fromEntries(source.placedBy),
    ...(silent === undefined ? {} : { silent }),
  };
}

function stepOf(now: number): number {
  return Math.floor(now / STEP_MS);
}

/** Clears the steps between the latest record and now. */
function turnTo(entry: Heard, now: number): void {
  const step = stepOf(now);
  for (let passed = entry.step + 1; passed <= Math.min(step, entry.step + STEPS); passed++) {
    entry.steps[passed % STEPS] = 0;
  }
  entry.step = Math.max(entry.step, step);
}

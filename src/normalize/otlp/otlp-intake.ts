import type { IncomingRecord, Intake } from '../../api/port.js';
import { stableId } from '../../lib/hash.js';
import type { Principal } from '../../model/principal.js';
import type { Refusal, RefusedRecord } from '../../model/wire.js';
import { codingAgentOf, machineOf } from '../coding-agents/machine.js';
import { readCodingAgent } from '../coding-agents/read-coding-agent.js';
import { ToolDecisions } from '../coding-agents/tool-decisions.js';
import { readGenAiLog } from '../genai/read-log.js';
import { readSpan } from '../genai/read-span.js';
import { given, type Said } from '../genai/said.js';
import { whoOf } from '../genai/semantic-conventions.js';
import { workNormalizer } from '../genai/work-normalizer.js';
import type { Work } from '../genai/work-drafts.js';
import { contentKey, type OtlpBatch } from './decode.js';
import { MetricDeltas } from './metric-deltas.js';
import type { OtlpRecord } from './model.js';
import { TraceJoin, type Found, type FoundBy, type Placement } from './trace-join.js';

export interface OtlpIntakeOptions {
  intake: Intake;
  /** Longest time that a request is kept open because its records do not say whose they are, ms. */
  waitMs: number;
  /** Resolves after so many ms. */
  sleep: (ms: number) => Promise<void>;
  /** Told of each record by what it was found whose it is. */
  placed?: (principal: Principal, by: FoundBy | 'nothing') => void;
}

/** Running totals since the start. */
export interface OtlpCounters {
  spans: number;
  logs: number;
  points: number;
  /** Records of other things than an agent's work; spans among them help to place those that are. */
  others: number;
  /** Records that were waited for. */
  waited: number;
  /** How it was found whose a record is. */
  placedBy: Partial<Record<FoundBy, number>>;
  /** Records of which it was not found. */
  unplaced: number;
}

/** Looks again whether more of the trace has come, ms. */
const STEP_MS = 200;
/** Longest time that a record's own word puts the start of a call before its end. */
const MAX_DURATION_MS = 24 * 60 * 60_000;
const COUNTERS = { traces: 'spans', logs: 'logs', metrics: 'points' } as const;

/**
 * Takes decoded exports in: finds out whose each record is, and hands it on. A request is answered when what it holds is
 * in the log, so nothing that waits for its trace is lost with the process: its sender sends it again.
 */
export class OtlpIntake {
  readonly #options: OtlpIntakeOptions;
  readonly #join = new TraceJoin();
  readonly #deltas = new MetricDeltas();
  readonly #decisions = new ToolDecisions();
  readonly #counters: OtlpCounters = { spans: 0, logs: 0, points: 0, others: 0, waited: 0, placedBy: {}, unplaced: 0 };

  constructor(options: OtlpIntakeOptions) {
    this.#options = options;
  }

  counters(): OtlpCounters {
    return { ...this.#counters, placedBy: { ...this.#counters.placedBy } };
  }

  /**
   * @param intake what it is handed on to; the usual one when left out
   * @returns what was refused; the rest is in the log, or was about something else than agents
   */
  async accept(batch: OtlpBatch, principal: Principal, intake = this.#options.intake): Promise<Refusal[]> {
    const pending: Pending[] = [];
    for (const { index, value, bytes } of batch.records) {
      this.#counters[COUNTERS[value.signal]]++;
      const said = this.#saidBy(value, principal);
      const place = placementOf(value, said, principal.tenant);
      this.#join.note(place);
      if (said === undefined && value.signal !== 'metrics') this.#counters.others++;
      else pending.push({ index, bytes, record: value, said, place });
    }
    const ready: Placed[] = [];
    let waiting = this.#place(pending, ready, false);
    for (let waitedMs = 0; waiting.length > 0 && waitedMs < this.#options.waitMs; waitedMs += STEP_MS) {
      if (waitedMs === 0) this.#counters.waited += waiting.length;
      await this.#options.sleep(STEP_MS);
      waiting = this.#place(waiting, ready, false);
    }
    const lost = this.#place(waiting, ready, true);
    this.#counters.unplaced += lost.length;
    for (const { found } of ready) this.#options.placed?.(principal, found.by);
    for (const _ of lost) this.#options.placed?.(principal, 'nothing');
    return this.#hand(ready, [...batch.refused, ...lost.map(unplaced)], principal, intake);
  }

  #saidBy(record: OtlpRecord, principal: Principal): Said | undefined {
    const product = codingAgentOf(record);
    if (record.signal === 'metrics') return undefined;
    // Coding agents say all of it in events; their spans would say it again.
    if (product !== undefined && record.signal === 'traces') return undefined;
    if (record.signal === 'traces') return readSpan(record);
    if (product === undefined) return readGenAiLog(record);
    const said = readCodingAgent(record, product);
    return said && this.#decisions.join(said, principal.id);
  }

  async #hand(
    ready: readonly Placed[],
    refused: readonly RefusedRecord[],
    principal: Principal,
    intake: Intake,
  ): Promise<Refusal[]> {
    const sorted = ready.toSorted((a, b) => a.pending.index - b.pending.index);
    const work: IncomingRecord[] = [];
    const samples: IncomingRecord[] = [];
    for (const { pending, found } of sorted) {
      const { index, bytes, record, said } = pending;
      if (record.signal === 'metrics') {
        const values = this.#deltas.valuesOf(record, `${principal.id}/${found.agentId}`);
        if (Object.keys(values).length > 0) samples.push({ index, bytes, value: sampleOf(record, found, values) });
      } else if (said !== undefined) work.push({ index, bytes, value: workOf(record, said, found) });
    }
    const report = await intake.accept(work, refused, principal, workNormalizer.format);
    if (samples.length === 0) return report.refused;
    return [...report.refused, ...(await intake.accept(samples, [], principal)).refused];
  }

  /** Moves what can be placed to `ready`. @returns the rest */
  #place(pending: readonly Pending[], ready: Placed[], isLast: boolean): Pending[] {
    return pending.filter((one) => {
      // What stands in no trace has nothing to wait for.
      const found = this.#join.find(one.place, isLast || one.place.traceId === '');
      if (found === undefined) return true;
      this.#counters.placedBy[found.by] = (this.#counters.placedBy[found.by] ?? 0) + 1;
      ready.push({ pending: one, found });
      return false;
    });
  }
}

interface Pending {
  index: number;
  bytes: number;
  record: OtlpRecord;
  /** Undefined for a data point. */
  said: Said | undefined;
  place: Placement;
}

interface Placed {
  pending: Pending;
  found: Found;
}

function workOf(record: Exclude<OtlpRecord, { signal: 'metrics' }>, said: Said, found: Found): Work {
  const { traceId, spanId } = record;
  const { agentId, sessionId, parentAgentId } = found;
  const owner = { agentId, sessionId, ...given('parentAgentId', parentAgentId) };
  if (record.signal === 'traces') {
    const { startMs, endMs } = record;
    return { said, id: `${traceId}/${spanId}`, traceId, spanId, startMs, endMs, ...owner };
  }
  // A log record has no id: its content, and which of several equal ones it is, make one.
  const id = stableId('log', contentKey(record));
  const startMs = record.timeMs - Math.min(MAX_DURATION_MS, Math.max(0, said.durationMs ?? 0));
  return { said, id, traceId, spanId, startMs: Math.max(0, startMs), endMs: record.timeMs, ...owner };
}

function sampleOf(
  { timeMs }: { timeMs: number },
  { agentId, sessionId }: Found,
  values: Record<string, number>,
): Record<string, unknown> {
  const owner = sessionId === '' ? { agentId } : { agentId, sessionId };
  return { stream: 'metric', kind: 'sample', time: Math.round(timeMs), ...owner, values };
}

function placementOf(record: OtlpRecord, said: Said | undefined, tenant: string): Placement {
  const { attributes, resource } = record;
  const service = resource.get('service.name');
  const product = codingAgentOf(record);
  const who = said ?? (product === undefined ? whoOf(attributes) : machineOf(record, product));
  const isMetric = record.signal === 'metrics';
  return {
    tenant,
    traceId: isMetric ? '' : record.traceId,
    spanId: isMetric ? '' : record.spanId,
    parentSpanId: record.signal === 'traces' ? record.parentSpanId : '',
    isSpan: record.signal === 'traces',
    mayLackSession: isMetric,
    ...given('agentId', who.agentId),
    ...given('sessionId', who.sessionId),
    ...given('callId', said?.tool?.callId),
    service: typeof service === 'string' ? service : '',
    resource: whoOf(resource),
  };
}

function unplaced({ index, record }: Pending): RefusedRecord {
  const reason =
    'nothing says which agent and session this is about; set gen_ai.agent.id and gen_ai.conversation.id on the record, an ancestor or the resource, or at least service.name';
  const raw = JSON.stringify({ scope: record.scope, name: 'name' in record ? record.name : record.eventName });
  return { index, field: 'gen_ai.agent.id', reason, raw };
}

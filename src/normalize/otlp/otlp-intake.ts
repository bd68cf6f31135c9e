import type { IncomingRecord, Intake } from '../../api/port.js';
import type { Principal } from '../../model/principal.js';
import type { Refusal } from '../../model/wire.js';
import { readSpan } from '../genai/read-span.js';
import { given, type Said } from '../genai/said.js';
import { whoOf } from '../genai/semantic-conventions.js';
import type { PlacedSpan } from '../genai/span-drafts.js';
import { spanNormalizer } from '../genai/span-normalizer.js';
import type { OtlpBatch } from './decode.js';
import type { OtlpSpan } from './model.js';
import { TraceJoin, type Found, type FoundBy, type Placement } from './trace-join.js';

export interface OtlpIntakeOptions {
  intake: Intake;
  /** Longest time that a request is kept open because its spans do not say whose they are, ms. */
  waitMs: number;
  /** Resolves after so many ms. */
  sleep: (ms: number) => Promise<void>;
}

/** Running totals since the start. */
export interface OtlpCounters {
  spans: number;
  /** Spans of other things than an agent's work; they only help to place those that are. */
  otherSpans: number;
  /** Records that were waited for. */
  waited: number;
  /** How it was found whose a record is. */
  placedBy: Partial<Record<FoundBy, number>>;
  /** Records of which it was not found. */
  unplaced: number;
}

/** Looks again whether more of the trace has come, ms. */
const STEP_MS = 200;

/**
 * Takes decoded spans in: finds out whose they are, and hands them on. A request is answered when what it holds is in
 * the log, so nothing that waits for its trace is lost with the process: its sender sends it again.
 */
export class OtlpIntake {
  readonly #options: OtlpIntakeOptions;
  readonly #join = new TraceJoin();
  readonly #counters: OtlpCounters = { spans: 0, otherSpans: 0, waited: 0, placedBy: {}, unplaced: 0 };

  constructor(options: OtlpIntakeOptions) {
    this.#options = options;
  }

  counters(): OtlpCounters {
    return { ...this.#counters, placedBy: { ...this.#counters.placedBy } };
  }

  /** @returns what was refused; the rest is in the log, or was about something else than agents */
  async acceptSpans(batch: OtlpBatch, principal: Principal): Promise<Refusal[]> {
    const pending: Pending[] = [];
    for (const { index, value, bytes } of batch.records) {
      if (value.signal !== 'traces') continue;
      const said = readSpan(value);
      const place = placementOf(value, said, principal.tenant);
      this.#join.note(place);
      this.#counters.spans++;
      if (said === undefined) this.#counters.otherSpans++;
      else pending.push({ index, bytes, span: value, said, place });
    }
    const ready: IncomingRecord[] = [];
    let waiting = this.#place(pending, ready, false);
    for (let waitedMs = 0; waiting.length > 0 && waitedMs < this.#options.waitMs; waitedMs += STEP_MS) {
      if (waitedMs === 0) this.#counters.waited += waiting.length;
      await this.#options.sleep(STEP_MS);
      waiting = this.#place(waiting, ready, false);
    }
    const lost = this.#place(waiting, ready, true);
    this.#counters.unplaced += lost.length;
    ready.sort((a, b) => a.index - b.index);
    const refused = [...batch.refused, ...lost.map(unplaced)];
    const report = await this.#options.intake.accept(ready, refused, principal, spanNormalizer.format);
    return report.refused;
  }

  /** Moves what can be placed to `ready`. @returns the rest */
  #place(pending: readonly Pending[], ready: IncomingRecord[], isLast: boolean): Pending[] {
    return pending.filter(({ index, bytes, span, said, place }) => {
      const found = this.#join.find(place, isLast);
      if (found === undefined) return true;
      this.#counters.placedBy[found.by] = (this.#counters.placedBy[found.by] ?? 0) + 1;
      ready.push({ index, bytes, value: placedSpan(span, said, found) });
      return false;
    });
  }
}

interface Pending {
  index: number;
  bytes: number;
  span: OtlpSpan;
  said: Said;
  place: Placement;
}

function placedSpan(span: OtlpSpan, said: Said, { agentId, sessionId, parentAgentId }: Found): PlacedSpan {
  return { span, said, agentId, sessionId, ...given('parentAgentId', parentAgentId) };
}

function placementOf(span: OtlpSpan, said: Said | undefined, tenant: string): Placement {
  const { traceId, spanId, parentSpanId, attributes, resource } = span;
  const service = resource.get('service.name');
  return {
    tenant,
    traceId,
    spanId,
    parentSpanId,
    isSpan: true,
    ...(said === undefined
      ? whoOf(attributes)
      : { ...given('agentId', said.agentId), ...given('sessionId', said.sessionId) }),
    ...given('callId', said?.tool?.callId),
    service: typeof service === 'string' ? service : '',
    resource: whoOf(resource),
  };
}

function unplaced({ index, span }: Pending): Refusal & { raw: string } {
  const reason =
    'nothing says which agent this is about; set gen_ai.agent.id on the span, an ancestor or the resource, or service.name';
  return { index, field: 'gen_ai.agent.id', reason, raw: JSON.stringify({ traceId: span.traceId, name: span.name }) };
}

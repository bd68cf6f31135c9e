import { setImmediate } from 'node:timers/promises';
import type { IncomingRecord, Intake } from '../api/port.js';
import type { Clock } from '../lib/clock.js';
import { OverloadError } from '../lib/overload.js';
import type { Log, RawRecord } from '../log/port.js';
import type { Observation } from '../model/observation.js';
import { mayActFor, type Principal } from '../model/principal.js';
import type { ShedCount } from '../model/source-report.js';
import type { CheckRequest, IntakeReport, RefusedRecord } from '../model/wire.js';
import { prepareAttempt } from './attempt.js';
import { deadLetter } from './dead-letter.js';
import { Door } from './door.js';
import { encodeRecord } from '../model/encode-record.js';
import type { Accepted, NormalizeContext, Normalizer, PreparedAttempt, Refused } from './port.js';
import { refuse } from './refusal.js';

/** Dead letters of one request; what is refused beyond is told to the sender, counted, and summed up in one more. */
const MAX_DEAD_LETTERS = 1_000;
/** Records worked through before others get their turn: a few milliseconds. */
const RECORDS_PER_TURN = 128;
const RETRY_SOON_SECONDS = 1;
const RETRY_FULL_SECONDS = 5;

export interface IntakeOptions {
  log: Pick<Log, 'append'>;
  clock: Clock;
  /** The wire formats that are understood; the first is taken where none is named. */
  normalizers: readonly [Normalizer, ...Normalizer[]];
  /** Wire formats that come and go while it runs, by name. */
  moreNormalizers?: (format: string) => Normalizer | undefined;
  /** Per-install secret, 32 bit: keys every hash that is derived from content. */
  seed: number;
  /** Wire bytes taken in and not yet committed; above it a request is turned away. */
  maxPendingBytes: number;
  /** What is known of emitters, and how much each may send; nothing is limited when left out. */
  door?: Door;
}

/** Running totals since the start. */
export interface IntakeCounters {
  accepted: number;
  refused: number;
  deadLetters: number;
  /** Refused records of which no dead letter of their own was kept. */
  deadLettersFolded: number;
  /** Requests turned away because too much was pending. */
  overloaded: number;
  /** Requests turned away because the log took no more. */
  logFull: number;
  bytes: number;
  pendingBytes: number;
  /** Observations, and contents of kept ones, that an emitter over its quota lost. */
  shed: readonly ShedCount[];
}

/**
 * Takes records in: who may say this? - normalise, derive, redact - log. Keeps no state per agent or session, so that
 * invented agents cost nothing here.
 */
export class LoggingIntake implements Intake {
  readonly #options: IntakeOptions;
  readonly #counters: Omit<IntakeCounters, 'shed'> = {
    accepted: 0,
    refused: 0,
    deadLetters: 0,
    deadLettersFolded: 0,
    overloaded: 0,
    logFull: 0,
    bytes: 0,
    pendingBytes: 0,
  };

  readonly #door: Door;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#door = options.door ?? new Door([], options.clock);
  }

  counters(): Readonly<IntakeCounters> {
    return { ...this.#counters, shed: this.#door.shed() };
  }

  async accept(
    records: readonly IncomingRecord[],
    refused: readonly RefusedRecord[],
    principal: Principal,
    format?: string,
    seen?: (observation: Observation) => void,
  ): Promise<IntakeReport> {
    const normalizer = this.#normalizer(format);
    const bytes =
      records.reduce((sum, record) => sum + record.bytes, 0) + refused.reduce((sum, { raw }) => sum + raw.length, 0);
    this.#reserve(bytes);
    try {
      const context = this.#context(principal);
      this.#door.arrived(principal);
      const out: RawRecord[] = [];
      const refusals: RefusedRecord[] = [...refused];
      let accepted = 0;
      for (const [i, record] of records.entries()) {
        // A large batch must not keep a gateway waiting that asks about a single call.
        if (i % RECORDS_PER_TURN === RECORDS_PER_TURN - 1) await setImmediate();
        const { index, value, place } = record;
        const own = place?.key === undefined ? context : { ...context, placeKey: place.key };
        const refusal = this.#take(normalizer, value, own, out, seen);
        if (refusal === undefined) accepted++;
        else {
          const { field, reason } = refusal;
          refusals.push({ index, field, reason, raw: rawOf(record), ...(place === undefined ? {} : { place }) });
        }
      }
      refusals.sort((a, b) => a.index - b.index);
      this.#appendDeadLetters(refusals, context, out);
      for (const { field, reason } of refusals) {
        this.#door.refused(principal, { format: normalizer.format, field, reason });
      }
      for (const value of this.#door.troubles()) out.push(encodeRecord({ type: 'source-trouble', value }));
      if (out.length > 0) await this.#append(out);
      this.#counters.accepted += accepted;
      this.#counters.refused += refusals.length;
      this.#counters.bytes += bytes;
      return { accepted, refused: refusals.map(({ index, field, reason }) => ({ index, field, reason })) };
    } finally {
      this.#counters.pendingBytes -= bytes;
    }
  }

  /** The observation of a call that a gateway asks about. Whether the gateway may ask is settled before. */
  prepareAttempt(request: CheckRequest, principal: Principal): PreparedAttempt {
    const context = this.#context(principal);
    const attempt = prepareAttempt(request, context);
    this.#door.arrived(principal);
    // Never shed; it counts against what may be.
    this.#door.admit(principal, attempt.observation, 'check');
    return attempt;
  }

  #normalizer(format: string | undefined): Normalizer {
    const { normalizers, moreNormalizers } = this.#options;
    const found =
      format === undefined
        ? normalizers[0]
        : (normalizers.find((one) => one.format === format) ?? moreNormalizers?.(format));
    if (found === undefined) throw new UnknownFormatError(`no wire format is called ${format}`);
    return found;
  }

  /** Adds a record's log records to `out`: all of its observations or none, but for what is shed. */
  #take(
    normalizer: Normalizer,
    value: unknown,
    context: NormalizeContext,
    out: RawRecord[],
    seen?: (observation: Observation) => void,
  ): Refused | undefined {
    const taken: Accepted[] = [];
    for (const result of normalizer.normalize(value, context)) {
      if (!result.ok) return result;
      const refusal = this.#refuseStranger(result.observation, context);
      if (refusal !== undefined) return refusal;
      taken.push(result);
    }
    for (const { observation, payload } of taken) {
      seen?.(observation);
      const admission = this.#door.admit(context.principal, observation, normalizer.format);
      if (admission === 'shed') continue;
      out.push(encodeRecord({ type: 'observation', value: observation }));
      if (payload === undefined) continue;
      if (admission === 'keep') out.push(encodeRecord({ type: 'payload', value: payload }));
      else this.#door.payloadLost(context.principal, observation);
    }
    return undefined;
  }

  /** Refuses what the key is not bound to. What it is bound to is not told. */
  #refuseStranger({ stream, agentId }: Observation, { principal }: NormalizeContext): Refused | undefined {
    if (!principal.streams.has(stream)) {
      return refuse('stream', `this key may not write the ${stream} stream; use a key that is bound to it`);
    }
    if (mayActFor(principal, agentId)) return undefined;
    this.#door.forged(principal, agentId);
    return refuse('agentId', 'this key may not speak for this agent; use a key that is bound to it');
  }

  #appendDeadLetters(refusals: readonly RefusedRecord[], context: NormalizeContext, out: RawRecord[]) {
    for (const refusal of refusals.slice(0, MAX_DEAD_LETTERS)) {
      out.push(encodeRecord({ type: 'dead-letter', value: deadLetter(refusal, context) }));
    }
    this.#counters.deadLetters += Math.min(refusals.length, MAX_DEAD_LETTERS);
    const rest = refusals.slice(MAX_DEAD_LETTERS);
    const [first] = rest;
    if (first === undefined) return;
    // A key that sends nothing but rubbish must not fill the log with the description of its rubbish.
    const reason = `${rest.length} more records of one request were refused, the first of them: ${first.reason}`;
    out.push(encodeRecord({ type: 'dead-letter', value: deadLetter({ ...first, reason }, context) }));
    this.#counters.deadLettersFolded += rest.length;
  }

  #reserve(bytes: number): void {
    const { maxPendingBytes } = this.#options;
    // One request alone always fits: what is too large for any moment is refused by the body limit, not by 429.
    if (this.#counters.pendingBytes > 0 && this.#counters.pendingBytes + bytes > maxPendingBytes) {
      this.#counters.overloaded++;
      throw new OverloadError('too much is waiting to be written; send again later', 429, RETRY_SOON_SECONDS);
    }
    this.#counters.pendingBytes += bytes;
  }

  async #append(records: readonly RawRecord[]): Promise<void> {
    try {
      await this.#options.log.append(records);
    } catch (error) {
      if (codeOf(error) !== 'LOG_FULL') throw error;
      this.#counters.logFull++;
      throw new OverloadError('the log takes no more for now; send again later', 503, RETRY_FULL_SECONDS);
    }
  }

  #context(principal: Principal): NormalizeContext {
    return { principal, observedAt: this.#options.clock.now(), seed: this.#options.seed };
  }
}

/** A wire format that is not there, or not any more: mappings come and go. */
class UnknownFormatError extends Error {
  override name = 'UnknownFormatError';
  readonly code = 'UNKNOWN_FORMAT';
}

function rawOf(record: IncomingRecord): string {
  try {
    return JSON.stringify(record.value) ?? '';
  } catch {
    // Nested beyond what can be written again.
    return '';
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

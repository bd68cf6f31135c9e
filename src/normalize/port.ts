import type { RawRecord } from '../log/port.js';
import type { AttemptObservation, Observation, Payload } from '../model/observation.js';
import type { Principal } from '../model/principal.js';
import type { CheckRequest } from '../model/wire.js';

/** What normalising needs beside the record: who speaks, when it came, and the install's hash seed. */
export interface NormalizeContext {
  principal: Principal;
  /** Processing time, epoch ms. */
  observedAt: number;
  /** Per-install secret, 32 bit: keys every hash that is derived from content. */
  seed: number;
  /** See `RecordPlace.key`. */
  placeKey?: string;
}

/** One observation made from a wire record, with its content where there is any. */
export interface Accepted {
  ok: true;
  observation: Observation;
  payload?: Payload;
}

/** A wire record (or a part of one) that cannot be taken in. */
export interface Refused {
  ok: false;
  /** Path of the offending field; empty for the record as a whole. */
  field: string;
  /** What is wrong and what to do about it, in plain words. */
  reason: string;
}

export type Normalized = Accepted | Refused;

/**
 * One wire format. Never throws, whatever it is given; what it returns is bounded; the same record from the same
 * principal gives the same ids. test/contract/normalizer-contract.ts holds every format to this.
 */
export interface Normalizer {
  /** Name of the format, for counters. */
  readonly format: string;
  /** A record may hold several observations (a batch format) or none. */
  normalize(record: unknown, context: NormalizeContext): Normalized[];
}

/** An attempt ready for the log: its observation, and the records to append. */
export interface PreparedAttempt {
  observation: AttemptObservation;
  records: RawRecord[];
}

/** Turns a gateway's question into an observation. */
export type AttemptBuilder = (request: CheckRequest, principal: Principal) => PreparedAttempt;

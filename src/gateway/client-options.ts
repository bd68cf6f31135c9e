import type { JSONWebKeySet } from 'jose';
import type { Clock } from '../lib/clock.js';
import type { Effect, Tier } from '../model/observation.js';
import type { CommandDelivery } from './event-stream.js';
import type { GatewayEvent, Posture } from './port.js';

export interface GatewayClientOptions {
  /** The observer's base URL. */
  url: string;
  /** This gateway's own API key. */
  key: string;
  /** The id of that key at the observer. Messages that are signed for another gateway are refused. */
  gatewayId: string;
  /** Name under which the observer signs (`signing.issuer` there). Default `parallax`. */
  issuer?: string;
  /**
   * Public keys to verify the observer's messages with (a JWKS). Default: those that the observer publishes at its own
   * address, fetched when they are needed. Pinned keys need the observer's next one before it is taken into use.
   */
  pinnedKeys?: JSONWebKeySet;
  /** How far the two clocks may be apart before messages count as expired, or as from the future, ms. Default 60,000. */
  skewMs?: number;
  /**
   * File in which what is in force is kept over a restart, one for each process. What it holds is in force from the
   * start, before the observer answers. Default: memory only, and replays are refused only until the restart.
   */
  stateFile?: string;
  /** Longest wait for the observer's answer to `check`, ms. Default 250. */
  deadlineMs?: number;
  /** When it does not answer, by effect. Default: reads open, everything else closed. */
  posture?: Partial<Record<Effect, Posture>>;
  /** The same by tier, for calls whose tier the gateway knows; counts before the effect. Default: none. */
  tierPosture?: Partial<Record<Tier, Posture>>;
  /**
   * Silence of the observer's command stream (its signed signs of life included) after which every call falls to the
   * posture without being asked about, until it is heard again, ms. Counts from `subscribe` on. Default 60,000.
   */
  silentAfterMs?: number;
  /**
   * How commands come: by `stream`, by `poll`, or `auto`: by stream, and by poll once three streams in a row opened
   * and brought nothing, as behind a proxy that holds streams back. Default `auto`.
   */
  delivery?: CommandDelivery;
  /** Effects that are asked about. Default: all but reads. */
  ask?: readonly Effect[];
  clock?: Clock;
  /** Monotonic time, ms. */
  elapsedMs?: () => number;
  /** Uniform in [0, 1), for jitter. */
  random?: () => number;
  fetch?: typeof globalThis.fetch;
  /** The gateway's log. What it throws is counted, never passed on. */
  onEvent?: (event: GatewayEvent) => void;
  limits?: Partial<GatewayClientLimits>;
}

export interface GatewayClientLimits {
  /** Restrictions in force at once, over all agents. */
  restrictions: number;
  /** Longest event on the command stream, characters. */
  eventChars: number;
  /** Silence on the command stream after which it is reconnected, ms. Three of the observer's heartbeats. */
  silenceMs: number;
  retryBaseMs: number;
  retryMaxMs: number;
  /** Least time between two requests for the observer's public keys, ms. */
  keyRefetchMs: number;
  /** Age at which they are asked for again, ms: a key that is no longer published stops counting. */
  keyMaxAgeMs: number;
  /** Audit records (and their characters) that wait while the observer does not answer. */
  auditRecords: number;
  auditChars: number;
  auditBatchRecords: number;
  auditBatchChars: number;
  /** Longest wait for the answer to an audit batch or an acknowledgement, ms. */
  requestMs: number;
}

export const LIMITS: GatewayClientLimits = {
  restrictions: 100_000,
  eventChars: 64 * 1024 * 1024,
  silenceMs: 45_000,
  retryBaseMs: 250,
  retryMaxMs: 10_000,
  keyRefetchMs: 5_000,
  keyMaxAgeMs: 10 * 60_000,
  auditRecords: 20_000,
  auditChars: 64 * 1024 * 1024,
  auditBatchRecords: 500,
  auditBatchChars: 1024 * 1024,
  requestMs: 10_000,
};

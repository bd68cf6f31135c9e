import { systemClock, type Clock } from '../lib/clock.js';
import type { Effect } from '../model/observation.js';
import type { WireObservation } from '../model/wire.js';
import { Acknowledger } from './acknowledger.js';
import { AuditSender } from './audit-sender.js';
import { DeadlineError, withDeadline } from './deadline.js';
import { EventStream } from './event-stream.js';
import { parseJson, readCheckAnswer, readCommand, readRestriction, readState } from './messages.js';
import { describeFault, postJson, type ObserverAddress } from './observer-http.js';
import type {
  CallAttempt,
  GatewayClient,
  GatewayCounters,
  GatewayDecision,
  GatewayEvent,
  Posture,
  EffectiveState,
} from './port.js';
import { RestrictionCache, type CacheChange } from './restriction-cache.js';
import type { StreamEvent } from './sse-parser.js';

export type * from './port.js';

export interface GatewayClientOptions {
  /** The observer's base URL. */
  url: string;
  /** This gateway's own API key. */
  key: string;
  /** Name of this gateway, for acknowledgements' detail; the key says who it is. */
  gatewayId: string;
  /** Longest wait for the observer's answer to `check`, ms. Default 250. */
  deadlineMs?: number;
  /** When it does not answer, by effect. Default: reads open, everything else closed. */
  posture?: Partial<Record<Effect, Posture>>;
  /** Effects that are asked about. Default: all but reads. */
  ask?: readonly Effect[];
  clock?: Clock;
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
  /** Audit records (and their characters) that wait while the observer does not answer. */
  auditRecords: number;
  auditChars: number;
  auditBatchRecords: number;
  auditBatchChars: number;
  /** Longest wait for the answer to an audit batch or an acknowledgement, ms. */
  requestMs: number;
}

const LIMITS: GatewayClientLimits = {
  restrictions: 100_000,
  eventChars: 32 * 1024 * 1024,
  silenceMs: 45_000,
  retryBaseMs: 250,
  retryMaxMs: 10_000,
  auditRecords: 20_000,
  auditChars: 64 * 1024 * 1024,
  auditBatchRecords: 500,
  auditBatchChars: 1024 * 1024,
  requestMs: 10_000,
};

const POSTURE: Record<Effect, Posture> = { read: 'open', write: 'closed', auth: 'closed', unknown: 'closed' };
/** The observer gets this share of the deadline; the rest is for the way there and back. */
const ANSWER_SHARE = 0.8;
const ASK: readonly Effect[] = ['write', 'auth', 'unknown'];
const PASSED: GatewayDecision = Object.freeze({
  decision: 'allow',
  source: 'passed',
  reason: 'calls of this kind are not asked about',
  timedOut: false,
});

/**
 * Connects a gateway with the observer. Needs nothing but `fetch`.
 *
 * Nothing is sent or followed before `check`, `observe` or `subscribe` is called. Call `close` at the end.
 */
export function createGatewayClient(options: GatewayClientOptions): GatewayClient {
  return new Client(options);
}

class Client implements GatewayClient {
  readonly #address: ObserverAddress;
  readonly #gatewayId: string;
  readonly #deadlineMs: number;
  readonly #posture: Record<Effect, Posture>;
  readonly #ask: ReadonlySet<Effect>;
  readonly #onEvent: (event: GatewayEvent) => void;
  readonly #cache: RestrictionCache;
  readonly #stream: EventStream;
  readonly #acknowledger: Acknowledger;
  readonly #audit: AuditSender;
  readonly #counts = {
    fromMemory: 0,
    passed: 0,
    asked: 0,
    answered: 0,
    postureOpen: 0,
    postureClosed: 0,
    restrictionsIgnored: 0,
    restrictionsRejected: 0,
    hookErrors: 0,
  };
  readonly #synchronised: Promise<boolean>;
  #resolveSynchronised: (inForce: boolean) => void = () => {};
  /** Highest place in the command stream that was taken in. */
  #sequence = -1;

  constructor(options: GatewayClientOptions) {
    const limits = { ...LIMITS, ...options.limits };
    const clock = options.clock ?? systemClock;
    const fetch = options.fetch ?? globalThis.fetch;
    this.#address = { url: options.url.replace(/\/$/, ''), key: options.key, fetch };
    this.#gatewayId = options.gatewayId;
    this.#deadlineMs = options.deadlineMs ?? 250;
    this.#posture = { ...POSTURE, ...options.posture };
    this.#ask = new Set(options.ask ?? ASK);
    this.#onEvent = options.onEvent ?? (() => {});
    this.#cache = new RestrictionCache({ capacity: limits.restrictions, clock });
    this.#synchronised = new Promise((resolve) => {
      this.#resolveSynchronised = resolve;
    });
    const shared = {
      address: this.#address,
      backoff: { baseMs: limits.retryBaseMs, maxMs: limits.retryMaxMs, random: options.random ?? Math.random },
      requestMs: limits.requestMs,
      report: (event: GatewayEvent) => this.#report(event),
    };
    this.#acknowledger = new Acknowledger({ ...shared, capacity: limits.restrictions });
    this.#audit = new AuditSender({
      ...shared,
      maxRecords: limits.auditRecords,
      maxChars: limits.auditChars,
      batchRecords: limits.auditBatchRecords,
      batchChars: limits.auditBatchChars,
    });
    this.#stream = new EventStream({
      ...shared,
      path: '/v1/commands/stream',
      silenceMs: limits.silenceMs,
      maxEventChars: limits.eventChars,
      apply: (event) => this.#apply(event),
    });
  }

  restrictionOn(
    agentId: string,
    sessionId: string | undefined,
    tool: string,
    effect: Effect = 'unknown',
  ): GatewayDecision | undefined {
    const found = this.#cache.find({ agentId, sessionId, tool, effect });
    if (found === undefined) return undefined;
    this.#counts.fromMemory++;
    return { source: 'memory', timedOut: false, ...found };
  }

  async check(attempt: CallAttempt): Promise<GatewayDecision> {
    const { agentId, sessionId, tool } = attempt;
    const effect = attempt.effect ?? 'unknown';
    const restricted = this.restrictionOn(agentId, sessionId, tool, effect);
    if (restricted !== undefined) return restricted;
    if (!this.#ask.has(effect)) {
      this.#counts.passed++;
      return PASSED;
    }
    const decision = await this.#askObserver(attempt, effect);
    // A command may have overtaken the answer; what it only holds stays refused where the answer refuses it.
    const overtaking = this.restrictionOn(agentId, sessionId, tool, effect);
    const isStricter = overtaking?.decision === 'deny' || decision.decision !== 'deny';
    return isStricter ? (overtaking ?? decision) : decision;
  }

  subscribe(): Promise<boolean> {
    this.#stream.start();
    return this.#synchronised;
  }

  observe(records: readonly WireObservation[]): void {
    this.#audit.enqueue(records);
  }

  flush(withinMs: number): Promise<boolean> {
    return this.#audit.flush(withinMs);
  }

  counters(): GatewayCounters {
    return {
      ...this.#counts,
      streamConnects: this.#stream.connects,
      streamLosses: this.#stream.losses,
      restrictionsHeld: this.#cache.size,
      acknowledged: this.#acknowledger.acknowledged,
      acknowledgementsDropped: this.#acknowledger.dropped,
      auditPending: this.#audit.pending,
      auditDelivered: this.#audit.delivered,
      auditDropped: this.#audit.dropped,
      auditRefused: this.#audit.refused,
    };
  }

  async close(withinMs = 2_000): Promise<void> {
    this.#resolveSynchronised(false);
    await Promise.all([this.#stream.close(), this.#acknowledger.close(), this.#audit.close(withinMs)]);
  }

  async #askObserver(attempt: CallAttempt, effect: Effect): Promise<GatewayDecision> {
    this.#counts.asked++;
    let cause = '';
    let timedOut = false;
    try {
      const body = JSON.stringify({ ...attempt, deadlineMs: Math.max(1, Math.floor(this.#deadlineMs * ANSWER_SHARE)) });
      const { status, text } = await withDeadline(this.#deadlineMs, undefined, (signal) =>
        postJson(this.#address, '/v1/check', body, signal),
      );
      const answer = status === 200 ? readCheckAnswer(parseJson(text)) : undefined;
      if (answer !== undefined) {
        this.#counts.answered++;
        return { ...answer, source: 'observer' };
      }
      cause = status === 200 ? 'the answer could not be read' : `the observer answered ${status}`;
    } catch (fault) {
      timedOut = fault instanceof DeadlineError;
      cause = describeFault(fault);
    }
    const posture = this.#posture[effect];
    this.#counts[posture === 'open' ? 'postureOpen' : 'postureClosed']++;
    this.#report({ type: 'check-unanswered', effect, posture, cause });
    return {
      decision: posture === 'open' ? 'allow' : 'deny',
      source: 'posture',
      reason: `the observer did not decide (${cause}); this gateway's posture for ${effect} calls is ${posture}`,
      timedOut,
    };
  }

  /** Applies one event of the command stream. @throws when it cannot be read, so that the stream starts over */
  #apply({ event, data, id }: StreamEvent): void {
    if (event !== 'state' && event !== 'restriction' && event !== 'command') return;
    const value = parseJson(data);
    const sequence = Number(id === '' ? Number.NaN : id);
    if (event === 'state') {
      const restrictions = readState(value);
      if (restrictions === undefined) throw new Error('a state event could not be read');
      this.#settle(this.#cache.replaceAll(restrictions, { older: sequence < this.#sequence }));
      this.#report({
        type: 'state-in-force',
        sequence: id,
        agents: this.#cache.agents,
        restrictions: this.#cache.size,
      });
      this.#resolveSynchronised(true);
    } else if (event === 'restriction') {
      const restriction = readRestriction(value);
      if (restriction === undefined) throw new Error('a restriction event could not be read');
      const { agentId, version } = restriction;
      const change = this.#cache.replaceAgent(restriction);
      this.#settle(change);
      if (change.heldVersion === undefined) {
        this.#report({ type: 'restriction-in-force', agentId, version, restrictions: change.inForce.length });
      } else {
        this.#counts.restrictionsIgnored++;
        this.#report({ type: 'restriction-ignored', agentId, version, heldVersion: change.heldVersion });
      }
    } else {
      const command = readCommand(value);
      if (command === undefined) throw new Error('a command event could not be read');
      if (!command.dryRun && command.state === 'sent') this.#settle(this.#cache.tighten(command));
    }
    if (sequence > this.#sequence) this.#sequence = sequence;
  }

  #settle({ inForce, lifted, rejected }: CacheChange): void {
    const confirm = (effective: EffectiveState, ids: readonly string[], detail?: string): void => {
      for (const id of ids) this.#acknowledger.submit(id, effective, detail);
    };
    confirm('enforced', inForce);
    confirm('lifted', lifted);
    confirm('rejected', rejected, `${this.#gatewayId}: the enforcement map is full`);
    for (const commandId of rejected) {
      this.#counts.restrictionsRejected++;
      this.#report({ type: 'restriction-rejected', commandId, cause: 'the enforcement map is full' });
    }
  }

  #report(event: GatewayEvent): void {
    try {
      this.#onEvent(event);
    } catch {
      this.#counts.hookErrors++;
    }
  }
}

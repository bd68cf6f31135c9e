import { systemClock } from '../lib/clock.js';
import { DEFAULT_ISSUER } from '../model/signed-message.js';
import type { Effect } from '../model/observation.js';
import type { WireObservation } from '../model/wire.js';
import { Acknowledger } from './acknowledger.js';
import { ApprovalWaiter } from './approval-waiter.js';
import { AuditSender } from './audit-sender.js';
import { LIMITS, type GatewayClientOptions } from './client-options.js';
import { CommandIntake } from './command-intake.js';
import { EventStream } from './event-stream.js';
import { FetchedKeys, PinnedKeys } from './key-source.js';
import { MessageVerifier } from './message-verifier.js';
import { ObserverAsker } from './observer-asker.js';
import type { ObserverAddress } from './observer-http.js';
import type {
  ApprovalOutcome,
  ApprovalRequest,
  CallAttempt,
  GatewayClient,
  GatewayCounters,
  GatewayDecision,
  GatewayEvent,
  RefusalReason,
} from './port.js';
import { Postures } from './posture.js';
import { RestrictionCache } from './restriction-cache.js';
import { probeStateFile, RestrictionFile } from './restriction-file.js';
import { SilenceWatch } from './silence-watch.js';

export type * from './port.js';
export type { GatewayClientLimits, GatewayClientOptions } from './client-options.js';

const ASK: readonly Effect[] = ['write', 'auth', 'unknown'];
const PASSED: GatewayDecision = Object.freeze({
  decision: 'allow',
  source: 'passed',
  reason: 'calls of this kind are not asked about',
  timedOut: false,
});

/**
 * Connects a gateway with the observer. Needs nothing but `fetch` and `jose`.
 *
 * What the state file holds is in force at once. Nothing is sent or followed before `check`, `observe` or `subscribe`
 * is called. Call `close` at the end.
 *
 * @throws Error when the state file cannot be written where it shall lie
 */
export function createGatewayClient(options: GatewayClientOptions): GatewayClient {
  return new Client(options);
}

class Client implements GatewayClient {
  readonly #ask: ReadonlySet<Effect>;
  readonly #onEvent: (event: GatewayEvent) => void;
  readonly #cache: RestrictionCache;
  readonly #watch: SilenceWatch;
  readonly #postures: Postures;
  readonly #asker: ObserverAsker;
  readonly #approvals: ApprovalWaiter;
  readonly #intake: CommandIntake;
  readonly #file: RestrictionFile | undefined;
  readonly #stream: EventStream;
  readonly #acknowledger: Acknowledger;
  readonly #audit: AuditSender;
  readonly #counts = { fromMemory: 0, passed: 0, whileSilent: 0, hookErrors: 0 };
  readonly #synchronised: Promise<boolean>;
  #resolveSynchronised: (inForce: boolean) => void = () => {};

  constructor(options: GatewayClientOptions) {
    const limits = { ...LIMITS, ...options.limits };
    const { gatewayId, stateFile, clock = systemClock, elapsedMs = () => performance.now() } = options;
    const issuer = options.issuer ?? DEFAULT_ISSUER;
    const fetch = options.fetch ?? globalThis.fetch;
    const address: ObserverAddress = { url: options.url.replace(/\/$/, ''), key: options.key, fetch };
    const report = (event: GatewayEvent) => this.#report(event);
    const shared = {
      address,
      backoff: { baseMs: limits.retryBaseMs, maxMs: limits.retryMaxMs, random: options.random ?? Math.random },
      requestMs: limits.requestMs,
      report,
    };
    this.#ask = new Set(options.ask ?? ASK);
    this.#onEvent = options.onEvent ?? (() => {});
    this.#synchronised = new Promise((resolve) => {
      this.#resolveSynchronised = resolve;
    });
    this.#cache = new RestrictionCache({ capacity: limits.restrictions, clock });
    this.#postures = new Postures(options.posture, options.tierPosture);
    this.#asker = new ObserverAsker({ ...shared, deadlineMs: options.deadlineMs ?? 250, postures: this.#postures });
    this.#approvals = new ApprovalWaiter({
      ...shared,
      ask: (attempt, reason) => this.#asker.ask(attempt, reason),
      forbidden: (attempt) => this.#forbidden(attempt),
      clock,
      elapsedMs,
    });
    this.#watch = new SilenceWatch({ silentAfterMs: options.silentAfterMs ?? 60_000, elapsedMs, report });
    this.#acknowledger = new Acknowledger({ ...shared, capacity: limits.restrictions });
    this.#audit = new AuditSender({
      ...shared,
      maxRecords: limits.auditRecords,
      maxChars: limits.auditChars,
      batchRecords: limits.auditBatchRecords,
      batchChars: limits.auditBatchChars,
    });
    const keys =
      options.pinnedKeys === undefined
        ? new FetchedKeys({ ...shared, refetchMs: limits.keyRefetchMs, maxAgeMs: limits.keyMaxAgeMs, elapsedMs })
        : new PinnedKeys(options.pinnedKeys);
    if (stateFile !== undefined) probeStateFile(stateFile);
    this.#file = stateFile === undefined ? undefined : new RestrictionFile(stateFile);
    this.#intake = new CommandIntake({
      verifier: new MessageVerifier({ keys, issuer, audience: gatewayId, skewMs: options.skewMs ?? 60_000, clock }),
      cache: this.#cache,
      acknowledger: this.#acknowledger,
      watch: this.#watch,
      issuer,
      gatewayId,
      file: stateFile === undefined || this.#file === undefined ? undefined : { path: stateFile, writer: this.#file },
      onState: () => this.#resolveSynchronised(true),
      report,
    });
    this.#stream = new EventStream({
      ...shared,
      path: '/v1/commands/stream',
      delivery: options.delivery ?? 'auto',
      silenceMs: limits.silenceMs,
      maxEventChars: limits.eventChars,
      apply: (event) => this.#intake.apply(event),
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

  localDecision(attempt: Parameters<GatewayClient['localDecision']>[0]): GatewayDecision | undefined {
    const { agentId, sessionId, tool, effect } = attempt;
    const restricted = this.restrictionOn(agentId, sessionId, tool, effect);
    if (restricted !== undefined || !this.#watch.isSilent) return restricted;
    this.#counts.whileSilent++;
    const { posture: _, ...decision } = this.#postures.decide(attempt, 'the observer has been silent for too long');
    return decision;
  }

  async check(attempt: CallAttempt): Promise<GatewayDecision> {
    const local = this.localDecision(attempt);
    if (local !== undefined) return local;
    const { agentId, sessionId, tool, effect = 'unknown' } = attempt;
    if (!this.#ask.has(effect)) {
      this.#counts.passed++;
      return PASSED;
    }
    const decision = await this.#asker.ask(attempt);
    // A command may have overtaken the answer; what it only holds stays refused where the answer refuses it.
    const overtaking = this.restrictionOn(agentId, sessionId, tool, effect);
    const isStricter = overtaking?.decision === 'deny' || decision.decision !== 'deny';
    return isStricter ? (overtaking ?? decision) : decision;
  }

  awaitApproval(attempt: CallAttempt, request: ApprovalRequest): Promise<ApprovalOutcome> {
    return this.#approvals.wait(attempt, request);
  }

  subscribe(): Promise<boolean> {
    this.#watch.start(!this.#intake.isKeptStateUsable);
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
      ...this.#asker.counts,
      ...this.#postures.counts,
      ...this.#intake.counts,
      silences: this.#watch.silences,
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

  refusals(): Record<RefusalReason, number> {
    return this.#intake.refusals();
  }

  async close(withinMs = 2_000): Promise<void> {
    this.#resolveSynchronised(false);
    this.#watch.close();
    this.#approvals.close();
    await Promise.all([this.#stream.close(), this.#audit.close(withinMs)]);
    await this.#file?.close();
    await this.#acknowledger.close();
  }

  #forbidden({ agentId, sessionId, tool, effect }: CallAttempt): GatewayDecision | undefined {
    const restricted = this.restrictionOn(agentId, sessionId, tool, effect);
    return restricted?.decision === 'deny' ? restricted : undefined;
  }

  #report(event: GatewayEvent): void {
    try {
      this.#onEvent(event);
    } catch {
      this.#counts.hookErrors++;
    }
  }
}

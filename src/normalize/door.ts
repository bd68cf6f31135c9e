import type { Clock } from '../lib/clock.js';
import type { Observation } from '../model/observation.js';
import type { Principal } from '../model/principal.js';
import type { ShedCount, SourceReport } from '../model/source-report.js';
import type { SourceTrouble } from '../model/source-trouble.js';
import { cutText } from './fold-text.js';
import { Quotas, type Admission, type Quota } from './quotas.js';
import { SourceLedger, type ExpectedSource } from './source-ledger.js';
import { SourceWatch, type Noted } from './source-watch.js';

const MAX_AGENT_CHARS = 128;

type Emitter = Pick<Principal, 'id' | 'tenant'>;

/** A key that writes, as it is configured. */
export interface EmitterRules extends ExpectedSource {
  quota?: Quota | undefined;
}

/**
 * What intake knows of emitters: how much each may send, what it sent, and what is wrong with it. It is told of each record
 * and says what becomes of it; what people have to know leaves as records for the log.
 */
export class Door {
  readonly #clock: Clock;
  readonly #quotas: Quotas;
  readonly #ledger: SourceLedger;
  readonly #watch = new SourceWatch();

  /** @param quota what a key may send that has no quota of its own */
  constructor(emitters: readonly EmitterRules[], clock: Clock, quota?: Quota) {
    this.#clock = clock;
    const own = new Map(emitters.map((emitter) => [emitter.id, emitter.quota]));
    const isLimited = quota?.recordsPerSecond !== undefined || quota?.agentRecordsPerSecond !== undefined;
    this.#quotas = new Quotas((id) => own.get(id) ?? (isLimited ? quota : undefined));
    this.#ledger = new SourceLedger(emitters, clock.now());
  }

  /** A request of the emitter has come, whatever is in it. */
  arrived(emitter: Emitter): void {
    this.#ledger.arrived(emitter, this.#clock.now());
  }

  /** @returns what becomes of the observation */
  admit(emitter: Emitter, { stream, agentId, time, observedAt }: Observation, format: string): Admission {
    this.#ledger.heard(emitter, { format, stream, lagMs: observedAt - time }, observedAt);
    const admission = this.#quotas.admit(emitter, { agentId, stream }, observedAt);
    if (admission !== 'shed') return admission;
    const blind = this.#quotas.isBlind(emitter.id, stream);
    if (blind === undefined) return admission;
    // A stream of which most is missing says nothing by its silence: people must know.
    const detail = `${emitter.id} sends more than its quota: ${blind.shed} of the latest ${blind.seen} records of its ${stream} stream were shed`;
    this.#watch.note(emitter, { kind: 'shed', stream, detail }, observedAt);
    return admission;
  }

  /** The content of an admitted observation was not kept. */
  payloadLost(emitter: Emitter, { stream }: Pick<Observation, 'stream'>): void {
    this.#quotas.notePayload(emitter.id, stream);
  }

  refused(emitter: Emitter, refusal: { format: string; field: string; reason: string }): void {
    this.#ledger.refused(emitter, refusal, this.#clock.now());
  }

  /** @param by what said whose a record is */
  placed(emitter: Emitter, by: string): void {
    this.#ledger.placed(emitter, by, this.#clock.now());
  }

  /** The emitter spoke for an agent that its key is not bound to. */
  forged(emitter: Emitter, agentId: string): void {
    const detail = `${emitter.id} speaks for agents that its key is not bound to, such as ${cutText(agentId, MAX_AGENT_CHARS)}`;
    this.note(emitter, { kind: 'forged-agent', detail });
  }

  note(emitter: Emitter, noted: Noted): void {
    this.#watch.note(emitter, noted, this.#clock.now());
  }

  /** Looks for emitters that have fallen silent. */
  listen(): void {
    const now = this.#clock.now();
    for (const { id, tenant, forMs, expectedMs } of this.#ledger.silent(now)) {
      const detail = `nothing has come from ${id} for ${Math.round(forMs / 1_000)} s; expected within ${Math.round(expectedMs / 1_000)} s`;
      this.#watch.note({ id, tenant }, { kind: 'silent', detail, total: Math.round(forMs) }, now);
    }
  }

  /** What people have to know now, for the log. */
  troubles(): SourceTrouble[] {
    return this.#watch.due(this.#clock.now());
  }

  /** Only what lost something. */
  shed(): ShedCount[] {
    return this.#quotas.shed();
  }

  /** The emitters of a tenant, by id. */
  report(tenant: string): SourceReport[] {
    const shed = this.#quotas.shed();
    return this.#ledger.report(tenant, this.#clock.now()).map((source) => ({
      ...source,
      shed: shed.filter(({ principalId }) => principalId === source.principalId),
    }));
  }
}

import { SIGNED_KINDS, type SignedClaims, type SignedKind } from '../model/signed-message.js';
import type { Acknowledger } from './acknowledger.js';
import type { MessageVerifier } from './message-verifier.js';
import { readContent, type MessageContent } from './messages.js';
import { describeFault } from './observer-http.js';
import { REFUSAL_REASONS, type GatewayEvent, type RefusalReason } from './port.js';
import { ReplayGuard } from './replay-guard.js';
import type { CacheChange, RestrictionCache } from './restriction-cache.js';
import { readKeptState, type KeptState, type RestrictionFile } from './restriction-file.js';
import type { SilenceWatch } from './silence-watch.js';
import type { StreamEvent } from './sse-parser.js';

export interface CommandIntakeOptions {
  verifier: MessageVerifier;
  cache: RestrictionCache;
  acknowledger: Acknowledger;
  watch: SilenceWatch;
  issuer: string;
  gatewayId: string;
  /** Where the state is kept over a restart; undefined keeps it in memory alone. */
  file: { path: string; writer: RestrictionFile } | undefined;
  /** The observer's full state is in force. */
  onState: () => void;
  report: (event: GatewayEvent) => void;
}

/** A message that may not be taken in. */
class RefusedError extends Error {
  override name = 'RefusedError';
}

/**
 * Takes in what the observer sends: only what it signed, for this gateway, now, and for the first time. Enforces it at
 * once, then keeps it on disk, then confirms it, so that what is confirmed holds over a crash of the gateway.
 */
export class CommandIntake {
  readonly #options: CommandIntakeOptions;
  readonly #guard: ReplayGuard;
  readonly #refusals = Object.fromEntries(REFUSAL_REASONS.map((reason) => [reason, 0])) as Record<
    RefusalReason,
    number
  >;
  readonly counts = { restrictionsIgnored: 0, restrictionsRejected: 0, messagesRefused: 0, stateNotKept: 0 };
  /** Place in the observer's outbox up to which messages were taken in. */
  #sequence = -1;
  #isKeptStateUsable = true;

  constructor(options: CommandIntakeOptions) {
    this.#options = options;
    const kept = this.#readKept();
    this.#guard = new ReplayGuard(kept);
    if (kept === undefined) return;
    this.#sequence = kept.sequence;
    options.cache.restore(kept.commands, kept.sequence);
    options.report({ type: 'state-kept', restrictions: options.cache.size });
  }

  /** False where a state was kept but cannot be read: what was in force is not known. */
  get isKeptStateUsable(): boolean {
    return this.#isKeptStateUsable;
  }

  refusals(): Record<RefusalReason, number> {
    return { ...this.#refusals };
  }

  /** @throws RefusedError when only a new full state can make up for the event */
  async apply({ event, data }: StreamEvent): Promise<void> {
    const expected = SIGNED_KINDS.find((kind) => kind === event);
    if (expected === undefined) return;
    const verified = await this.#options.verifier.verify(data, expected);
    if ('refusal' in verified) this.#refuse(verified.refusal.reason, verified.refusal.detail);
    else this.#take(verified.kind, verified.claims);
  }

  #take(kind: SignedKind, claims: SignedClaims): void {
    const { epoch, counter, sequence, body } = claims;
    const content = readContent(kind, body);
    if (content === undefined) {
      this.#refuse('malformed', `the ${kind} cannot be read`);
      return;
    }
    const isNewEpoch = epoch > this.#guard.place.epoch;
    const reason = this.#guard.take(claims, kind);
    if (reason !== undefined) {
      this.#refuse(reason, `epoch ${epoch}, counter ${counter}`);
      return;
    }
    this.#options.watch.heard();
    this.#applyContent(content, { sequence, wentBack: isNewEpoch && sequence < this.#sequence });
    if (isNewEpoch || sequence > this.#sequence) this.#sequence = sequence;
  }

  #applyContent(content: MessageContent, { sequence, wentBack }: { sequence: number; wentBack: boolean }): void {
    const { cache, report, onState } = this.#options;
    if (content.kind === 'state') {
      if (wentBack) report({ type: 'observer-went-back', sequence, before: this.#sequence });
      this.#settle(cache.replaceAll(content.restrictions, { sequence, wentBack }));
      report({ type: 'state-in-force', sequence: String(sequence), agents: cache.agents, restrictions: cache.size });
      onState();
    } else if (content.kind === 'restriction') {
      const { agentId, version } = content.restriction;
      const change = cache.replaceAgent(content.restriction, sequence);
      this.#settle(change);
      this.#reportRestriction(change, { agentId, version, sequence });
    } else if (content.kind === 'command') {
      const { command } = content;
      if (!command.dryRun && command.state === 'sent') this.#settle(cache.tighten(command, sequence));
    }
  }

  #reportRestriction(
    { inForce, heldSequence }: CacheChange,
    { agentId, version, sequence }: { agentId: string; version: number; sequence: number },
  ): void {
    const { report } = this.#options;
    if (heldSequence === undefined) {
      report({ type: 'restriction-in-force', agentId, version, restrictions: inForce.length });
      return;
    }
    this.counts.restrictionsIgnored++;
    report({ type: 'restriction-ignored', agentId, sequence, heldSequence });
  }

  /** Keeps the state, and confirms what it means for each command when that is done. */
  #settle(change: CacheChange): void {
    const { file, report } = this.#options;
    for (const commandId of change.rejected) {
      this.counts.restrictionsRejected++;
      report({ type: 'restriction-rejected', commandId, cause: FULL });
    }
    if (file === undefined) {
      this.#confirm(change);
      return;
    }
    const confirm = async (): Promise<void> => {
      const cause = await file.writer.save(() => this.#kept());
      if (cause !== undefined) {
        this.counts.stateNotKept++;
        report({ type: 'state-not-kept', cause });
      }
      // It is in force in any case; only a crash of the gateway could undo it.
      this.#confirm(change, cause === undefined ? undefined : 'in memory only');
    };
    void confirm();
  }

  #confirm({ inForce, lifted, rejected }: CacheChange, detail?: string): void {
    const { acknowledger, gatewayId } = this.#options;
    for (const id of inForce) acknowledger.submit(id, 'enforced', detail);
    for (const id of lifted) acknowledger.submit(id, 'lifted', detail);
    for (const id of rejected) acknowledger.submit(id, 'rejected', `${gatewayId}: ${FULL}`);
  }

  #refuse(reason: RefusalReason, detail: string): void {
    this.counts.messagesRefused++;
    this.#refusals[reason]++;
    this.#options.report({ type: 'message-refused', reason, detail });
    // What was here before can be left out. After anything else something may be missing, which the full state brings.
    if (reason !== 'replayed') throw new RefusedError(`a message was refused (${reason}): ${detail}`);
  }

  #kept(): KeptState {
    const { issuer, gatewayId, cache } = this.#options;
    return { issuer, gatewayId, ...this.#guard.place, sequence: this.#sequence, commands: cache.commands() };
  }

  #readKept(): KeptState | undefined {
    const { file, issuer, gatewayId, report } = this.#options;
    if (file === undefined) return undefined;
    try {
      return readKeptState(file.path, { issuer, gatewayId });
    } catch (fault) {
      this.#isKeptStateUsable = false;
      report({ type: 'kept-state-unusable', cause: `${file.path}: ${describeFault(fault)}` });
      return undefined;
    }
  }
}

const FULL = 'the enforcement map is full';

import { BoundedMap } from '../lib/bounded-map.js';
import { stableId } from '../lib/hash.js';
import { StateTable, type StatePut } from '../lib/state-table.js';
import type { Effect } from '../model/effect.js';
import { mayDecideHold, type Hold, type HoldState, type HoldTimeout } from '../model/hold.js';
import type { OperatorOrder } from '../model/log-record.js';
import type { AttemptObservation } from '../model/observation.js';
import type { CheckAnswer } from '../model/wire.js';

/** Held calls whose time is over that are still known. */
const MAX_FINISHED = 10_000;
/** An answer, and what giving it changed. */
interface Told {
  answer: CheckAnswer;
  effects: Effect[];
}

/** What tells one call from another, whatever id it is asked under. */
type CallOf = Pick<AttemptObservation, 'tenant' | 'agentId' | 'sessionId' | 'tool' | 'argsHash'>;

/** Calls of one agent that may wait at once: one that goes wild must not fill the queue of all. */
const AGENT_SHARE = 0.1;
/** Longest summary of a call, characters, and most of its targets in it. */
const SUMMARY_CHARS = 300;
const SUMMARY_TARGETS = 6;

export interface HoldsOptions {
  /** How long a person has to decide, ms. */
  holdMs: number;
  /** How long a decision counts: an approved call may pass once within it, a rejected one is refused. Ms. */
  decisionMs: number;
  /** What happens to a call that nobody decided about. */
  onTimeout: HoldTimeout;
  /** Most calls of a tenant that wait at once; what is beyond is refused. */
  maxWaiting: number;
  load: (key: string) => Uint8Array | undefined;
}

/**
 * Calls that wait for a person. A call is the agent's session, tool and arguments: asked again, in the same words or
 * under another call id, it meets the decision that was made about it. An approval lets it pass once.
 *
 * A function of the log like everything that scores: a held call is made by its attempt, a decision by its order.
 */
export class Holds {
  readonly #options: HoldsOptions;
  readonly #holds: StateTable<Hold>;
  /** Holds that wait or whose decision counts, by id; and by the call they are about. */
  readonly #open = new Map<string, Hold>();
  readonly #byCall = new Map<string, string>();
  readonly #finished: BoundedMap<string, true>;
  /** Waiting calls by tenant, and by tenant and agent. */
  readonly #waiting = new Map<string, number>();
  #overflow = 0;

  constructor(options: HoldsOptions) {
    this.#options = options;
    this.#holds = new StateTable({ prefix: 'hold/', capacity: 10_000, load: options.load });
    this.#finished = new BoundedMap(MAX_FINISHED, (key) => this.#holds.delete(key));
  }

  /** Takes up what the store holds, after a restart. */
  restore(holds: Iterable<Hold>): void {
    for (const hold of [...holds].sort(byAge)) {
      // One whose time is over is put away with the next tick, as it was before the restart.
      this.#index(hold);
    }
  }

  /** `refused`: calls that would have been held, and were refused because too many waited. */
  stats(): { open: number; refused: number; forgotten: number } {
    return { open: this.#open.size, refused: this.#overflow, forgotten: this.#finished.evicted };
  }

  /**
   * The answer to a gateway in the light of what people decided, and what that changes.
   *
   * @param deserved what the call deserves by itself
   * @param now processing time, epoch ms
   */
  onAttempt(attempt: AttemptObservation, deserved: CheckAnswer, now: number): Told {
    const { decision, reason = '' } = attempt;
    // The gateway's own rule holds the call in observe-only too: it is not the observer that stands in the way.
    const answer: CheckAnswer =
      decision === 'ask' && deserved.decision === 'allow' ? { ...deserved, decision: 'hold', reason } : deserved;
    if (answer.decision !== 'hold') return { answer, effects: [] };
    const effects = this.#expire(this.#about(attempt), now);
    const known = this.#about(attempt);
    const told = known === undefined ? this.#hold(attempt, answer, now) : this.#meet(known, attempt, { answer, now });
    return { answer: told.answer, effects: [...effects, ...told.effects] };
  }

  /** The answer where there is a hold about the same call already. */
  #meet(known: Hold, attempt: AttemptObservation, { answer, now }: { answer: CheckAnswer; now: number }): Told {
    const told = { ...answer, holdId: known.id };
    switch (known.state) {
      case 'waiting':
        return { answer: told, effects: [] };
      case 'approved': {
        const reason = `approved by ${known.decidedBy}: ${known.decisionReason}`;
        const used = { ...known, usedBy: attempt.id };
        return {
          answer: { ...told, decision: 'allow', reason, approvalId: known.id },
          effects: this.#move(used, 'used', now),
        };
      }
      case 'rejected':
      case 'lapsed': {
        const reason =
          known.state === 'lapsed'
            ? 'nobody decided in time'
            : `rejected by ${known.decidedBy}: ${known.decisionReason}`;
        return { answer: { ...told, decision: 'deny', reason }, effects: [] };
      }
      default: {
        // The very same question again: whoever did not hear the answer asks a person anew, with another call.
        if (known.usedBy !== attempt.id) return this.#hold(attempt, answer, now);
        return { answer: { ...told, decision: 'deny', reason: 'this call was let through once already' }, effects: [] };
      }
    }
  }

  #about(call: CallOf): Hold | undefined {
    return this.#open.get(this.#byCall.get(callOf(call)) ?? '');
  }

  /** A person decides. What waits no more, or is none of their business, is not changed. */
  onOrder({ tenant, order, holdId = '', by, reason }: OperatorOrder, now: number): Effect[] {
    const hold = this.#open.get(`${tenant}/${holdId}`);
    if (hold?.state !== 'waiting' || hold.expiresAt <= now || !mayDecideHold(hold, by)) return [];
    if (order !== 'approve' && order !== 'reject') return [];
    return this.#decide(hold, order === 'approve' ? 'approved' : 'rejected', { by, reason }, now);
  }

  /** Ends what nobody decided about, and decisions whose time is up. Call with every tick. */
  onTime(now: number): Effect[] {
    const due = [...this.#open.values()].filter(({ expiresAt }) => expiresAt <= now).sort(byAge);
    return due.flatMap((hold) => this.#expire(hold, now));
  }

  #expire(hold: Hold | undefined, now: number): Effect[] {
    if (hold === undefined || hold.expiresAt > now) return [];
    if (hold.state === 'waiting') {
      const said = { by: 'policy', reason: 'nobody decided in time' };
      return this.#decide(hold, hold.onTimeout === 'allow' ? 'approved' : 'lapsed', said, now);
    }
    this.#close(hold);
    return hold.state === 'approved' ? this.#move(hold, 'lapsed', now) : [];
  }

  drain(puts: StatePut[], deletes: string[]): void {
    this.#holds.drain(puts, deletes);
  }

  #hold(attempt: AttemptObservation, answer: CheckAnswer, now: number): Told {
    const { holdMs, onTimeout, maxWaiting } = this.#options;
    const { tenant, agentId, sessionId = '', callId = '', tool, effect, argsHash = '', principalId } = attempt;
    const ofAgent = this.#waiting.get(`${tenant}/${agentId}`) ?? 0;
    if ((this.#waiting.get(tenant) ?? 0) >= maxWaiting || ofAgent >= Math.ceil(maxWaiting * AGENT_SHARE)) {
      this.#overflow++;
      const reason = `too many calls wait for a person: ${answer.reason}`;
      return { answer: { ...answer, decision: 'deny', reason }, effects: [] };
    }
    const before = this.#about(attempt);
    if (before !== undefined) this.#close(before);
    const hold: Hold = {
      id: stableId('hold', tenant, attempt.id, now, before?.id ?? ''),
      tenant,
      agentId,
      sessionId,
      callId,
      tool,
      effect,
      summary: summaryOf(attempt),
      argsHash,
      reason: answer.reason,
      gatewayId: principalId,
      heldAt: now,
      expiresAt: now + holdMs,
      onTimeout,
      state: 'waiting',
      changedAt: now,
    };
    if (answer.incidentId !== undefined) hold.incidentId = answer.incidentId;
    if (answer.commandId !== undefined) hold.commandId = answer.commandId;
    this.#index(hold);
    return { answer: { ...answer, holdId: hold.id }, effects: this.#record(hold) };
  }

  #decide(hold: Hold, state: HoldState, { by, reason }: { by: string; reason: string }, now: number): Effect[] {
    const decided = { ...hold, decidedBy: by, decisionReason: reason, expiresAt: now + this.#options.decisionMs };
    return this.#move(decided, state, now);
  }

  #move(hold: Hold, state: HoldState, now: number): Effect[] {
    const moved = { ...hold, state, changedAt: now };
    if (this.#open.has(keyOf(hold))) {
      this.#unindex(hold);
      this.#index(moved);
    }
    return this.#record(moved);
  }

  #record(hold: Hold): Effect[] {
    this.#holds.set(keyOf(hold), hold);
    return [{ type: 'hold', value: hold }];
  }

  /** Its time is over: it is only kept to be looked at. */
  #close(hold: Hold): void {
    this.#unindex(hold);
    this.#finished.set(keyOf(hold), true);
  }

  #index(hold: Hold): void {
    this.#open.set(keyOf(hold), hold);
    this.#byCall.set(callOf(hold), keyOf(hold));
    if (hold.state === 'waiting') this.#count(hold, 1);
  }

  #unindex(hold: Hold): void {
    const held = this.#open.get(keyOf(hold));
    if (held === undefined) return;
    this.#open.delete(keyOf(hold));
    if (this.#byCall.get(callOf(hold)) === keyOf(hold)) this.#byCall.delete(callOf(hold));
    if (held.state === 'waiting') this.#count(held, -1);
  }

  #count({ tenant, agentId }: Hold, by: number): void {
    for (const key of [tenant, `${tenant}/${agentId}`]) {
      const count = (this.#waiting.get(key) ?? 0) + by;
      if (count > 0) this.#waiting.set(key, count);
      else this.#waiting.delete(key);
    }
  }
}

function summaryOf({ targets, argBytes }: AttemptObservation): string {
  const shown = targets.slice(0, SUMMARY_TARGETS).map(({ field, value }) => `${field}=${value}`);
  if (targets.length > SUMMARY_TARGETS) shown.push(`and ${targets.length - SUMMARY_TARGETS} more`);
  const text = shown.length === 0 ? `${argBytes} bytes of arguments` : shown.join(', ');
  return text.length > SUMMARY_CHARS ? `${text.slice(0, SUMMARY_CHARS - 1)}…` : text;
}

function callOf({ tenant, agentId, sessionId = '', tool, argsHash = '' }: CallOf): string {
  return JSON.stringify([tenant, agentId, sessionId, tool, argsHash]);
}

function keyOf({ tenant, id }: Hold): string {
  return `${tenant}/${id}`;
}

function byAge(a: Hold, b: Hold): number {
  return a.heldAt - b.heldAt || (a.id < b.id ? -1 : 1);
}

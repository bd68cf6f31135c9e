import type { Clock } from '../../lib/clock.js';
import { stableId } from '../../lib/hash.js';
import type { Decision } from '../../model/observation.js';
import type { WireObservation } from '../../model/wire.js';
import type { CallAttempt, GatewayClient, GatewayDecision } from '../port.js';
import type { CallAnswer, CallRequest } from './call.js';
import { Holds } from './holds.js';
import type { ToolOutcome, ToolTable } from './tools.js';

export interface ReferenceGatewayOptions {
  kit: GatewayClient;
  tools: ToolTable;
  /** `hold`: asks before writes; `subscribe`: only enforces commands; `none`: only reports. */
  enforce: 'hold' | 'subscribe' | 'none';
  /** How long a held call waits for a person, ms. */
  holdMs: number;
  /**
   * Takes time, seq, effect and targets from the caller. Only for a caller that replays recordings: an agent must
   * neither date its own calls nor say that a write is a read.
   */
  trustCaller: boolean;
  /** Longest wait for the audit record to be acknowledged before the agent gets its answer, ms; 0 does not wait. */
  auditWaitMs: number;
  /** Different at every start: makes the ids of audit records unique. */
  instanceId: string;
  clock: Clock;
  /** Monotonic, ms with fractions. */
  elapsedMs: () => number;
}

const MAX_HOLDS = 1_000;

/**
 * A small gateway that really blocks: own policy, restrictions in force, the observer's decision, a person for what is
 * held, then the tool; and an audit record of every call, made under the gateway's own key.
 */
export class ReferenceGateway {
  readonly holds: Holds;
  readonly #options: ReferenceGatewayOptions;
  #calls = 0;

  constructor(options: ReferenceGatewayOptions) {
    this.#options = options;
    this.holds = new Holds({ capacity: MAX_HOLDS, waitMs: options.holdMs });
  }

  async call(request: CallRequest): Promise<CallAnswer> {
    const { kit, auditWaitMs } = this.#options;
    const ordinal = ++this.#calls;
    const attempt = this.#attempt(request);
    const { answer, audit } = await this.#decide(attempt, `hold-${ordinal}`);
    if (answer.executed) answer.result = await this.#options.tools.execute(attempt);
    kit.observe(this.#records(attempt, { ordinal, answer, audit }));
    if (auditWaitMs > 0) await kit.flush(auditWaitMs);
    return answer;
  }

  #attempt(request: CallRequest): CallAttempt {
    const { trustCaller, tools, clock } = this.#options;
    const { time, seq, effect, targets, ...rest } = request;
    const attempt: CallAttempt = { ...rest, time: clock.now(), effect: tools.effect(request.tool) ?? 'unknown' };
    if (!trustCaller) return attempt;
    if (time !== undefined) attempt.time = time;
    if (seq !== undefined) attempt.seq = seq;
    if (effect !== undefined) attempt.effect = effect;
    if (targets !== undefined) attempt.targets = targets;
    return attempt;
  }

  async #decide(attempt: CallAttempt, holdId: string): Promise<{ answer: CallAnswer; audit: AuditFields }> {
    const policy = this.#options.tools.policy(attempt);
    if (policy !== undefined) {
      const audit: AuditFields = policy.error === undefined ? {} : { error: policy.error };
      return { answer: refusal('policy', policy.reason, {}), audit };
    }
    const check = await this.#ask(attempt);
    const asked = check === undefined ? {} : { check };
    if (check === undefined || check.decision === 'allow') {
      return { answer: { executed: true, decision: 'allow', reason: check?.reason ?? '', ...asked }, audit: {} };
    }
    if (check.decision === 'deny') {
      const by = REFUSED_BY[check.source];
      return { answer: refusal(by, check.reason, asked), audit: auditOf(check) };
    }
    return this.#hold(attempt, holdId, check);
  }

  async #ask(attempt: CallAttempt): Promise<(GatewayDecision & { latencyMs: number }) | undefined> {
    const { kit, enforce, elapsedMs } = this.#options;
    if (enforce === 'none') return undefined;
    const before = elapsedMs();
    const decision = enforce === 'hold' ? await kit.check(attempt) : kit.localDecision(attempt);
    return decision === undefined ? undefined : { ...decision, latencyMs: elapsedMs() - before };
  }

  async #hold(attempt: CallAttempt, id: string, check: GatewayDecision & { latencyMs: number }) {
    const { agentId, sessionId, tool } = attempt;
    const held = { id, agentId, sessionId, tool, reason: check.reason };
    const outcome = await this.holds.wait(
      check.incidentId === undefined ? held : { ...held, incidentId: check.incidentId },
    );
    const asked = { check };
    // While a person thought about one call, the whole session may have been revoked.
    const restricted = this.#options.kit.restrictionOn(agentId, sessionId, tool, attempt.effect);
    if (restricted?.decision === 'deny') {
      return { answer: refusal('command', restricted.reason, asked), audit: auditOf(restricted) };
    }
    if (outcome.decided === 'timeout') {
      const answer: CallAnswer = { ...refusal('hold', check.reason, asked), decision: 'timeout' };
      return { answer, audit: auditOf(check) };
    }
    if (outcome.decided === 'refused') {
      return { answer: refusal('person', `refused by ${outcome.by}: ${check.reason}`, asked), audit: auditOf(check) };
    }
    const reason = `approved by ${outcome.by}: ${check.reason}`;
    const answer: CallAnswer = { executed: true, decision: 'allow', reason, ...asked };
    return { answer, audit: { ...auditOf(check), approvalId: id } };
  }

  #records(
    attempt: CallAttempt,
    { ordinal, answer, audit }: { ordinal: number; answer: CallAnswer; audit: AuditFields },
  ): WireObservation[] {
    const { instanceId } = this.#options;
    const { decision, reason, result } = answer;
    const call: WireObservation = {
      ...attempt,
      ...audit,
      id: stableId('call', instanceId, ordinal),
      stream: 'action',
      kind: 'tool_call',
      decision,
    };
    if (reason !== '') call.reason = reason.slice(0, MAX_REASON_CHARS);
    if (result === undefined) return [call];
    call.resultClass = result.resultClass;
    if (result.error !== undefined) call.error = result.error;
    if (result.text === undefined) return [call];
    return [call, resultRecord(attempt, stableId('result', instanceId, ordinal), result)];
  }
}

const MAX_REASON_CHARS = 4096;
const REFUSED_BY = { memory: 'command', observer: 'observer', posture: 'posture', passed: 'observer' } as const;

/** What a decision adds to the audit record. */
interface AuditFields {
  rawDecision?: string;
  ruleId?: string;
  approvalId?: string;
  error?: string;
}

function auditOf({ decision, commandId, incidentId }: GatewayDecision): AuditFields {
  const rule = commandId ?? incidentId;
  const rawDecision: Decision | 'hold' = decision;
  return rule === undefined ? { rawDecision } : { rawDecision, ruleId: `parallax:${rule}` };
}

function refusal(
  refusedBy: NonNullable<CallAnswer['refusedBy']>,
  reason: string,
  asked: Pick<CallAnswer, 'check'>,
): CallAnswer {
  return { executed: false, decision: 'deny', refusedBy, reason, ...asked };
}

function resultRecord(attempt: CallAttempt, id: string, { error, text, resultClass }: ToolOutcome): WireObservation {
  const { time, agentId, sessionId, callId, tool, seq } = attempt;
  const record: WireObservation = {
    id,
    time,
    agentId,
    sessionId,
    callId,
    stream: 'action',
    kind: 'tool_result',
    tool,
    resultClass,
  };
  // The next event is the first that an alarm on this result can still stop.
  if (seq !== undefined) record.seq = seq + 1;
  if (error !== undefined) record.error = error;
  if (text !== undefined) record.text = text;
  return record;
}

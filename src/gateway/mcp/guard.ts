import type { CallAttempt, GatewayClient, GatewayDecision } from '../port.js';
import type { ApprovalDesk, HeldCall } from './approvals.js';
import type { RefusedBy } from './port.js';
import type { Refusal } from './refusal.js';
import type { RuleFinding } from './rules.js';

/** What a decision adds to the audit record. */
export interface AuditFields {
  decision: 'allow' | 'deny' | 'timeout';
  rawDecision?: string;
  ruleId?: string;
  approvalId?: string;
  reason?: string;
}

export interface Verdict {
  audit: AuditFields;
  /** Absent where the call may be made. */
  refusal?: Refusal;
}

export interface GuardedCall {
  attempt: CallAttempt;
  finding: RuleFinding;
  /** The tool is another one than was first seen: refused, or only noted. */
  definition: 'known' | 'changed' | 'refused';
}

export interface GuardOptions {
  kit: Pick<GatewayClient, 'check' | 'restrictionOn'>;
  desk: ApprovalDesk;
  /** How long a person has, ms. */
  approvalMs: number;
}

export interface GuardHooks {
  /** Aborts when the client gives up. */
  signal: AbortSignal;
  /** Told that the call waits for a person; what it returns is called when that is over. */
  waiting: (reason: string) => () => void;
}

/**
 * Whether a call is made: this gateway's own rules, restrictions in force, the observer's answer, and a person where
 * one of them wants it. A person's consent to one call lifts no restriction that came meanwhile.
 */
export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  async decide(call: GuardedCall, hooks: GuardHooks): Promise<Verdict> {
    const { attempt, finding, definition } = call;
    if (finding.decision === 'deny') {
      return refused('rule', finding.reason ?? `${attempt.tool} is not allowed here`, { ruleId: finding.ruleId });
    }
    if (definition === 'refused') {
      return refused('definition', DEFINITION_CHANGED, { ruleId: DEFINITION_RULE });
    }
    const decision = await this.#options.kit.check(attempt);
    if (decision.decision === 'deny') return refusedBy(decision);
    const asks = finding.decision === 'ask';
    if (decision.decision === 'hold' || asks) {
      const reason =
        decision.decision === 'hold' ? decision.reason : (finding.reason ?? `${attempt.tool} needs approval here`);
      const held: HeldCall = decision.decision === 'hold' ? { attempt, reason, decision } : { attempt, reason };
      return this.#ask(held, asks ? finding.ruleId : undefined, hooks);
    }
    const audit: AuditFields = { decision: 'allow', reason: decision.reason };
    if (definition === 'changed') return { audit: { ...audit, ruleId: DEFINITION_RULE, reason: DEFINITION_CHANGED } };
    return { audit };
  }

  async #ask(held: HeldCall, ruleId: string | undefined, { signal, waiting }: GuardHooks): Promise<Verdict> {
    const { desk, approvalMs, kit } = this.#options;
    const { attempt, reason, decision } = held;
    const done = waiting(reason);
    const outcome = await desk.wait(held, { withinMs: approvalMs, signal }).finally(done);
    const rule = ruleOf(decision) ?? ruleId;
    const named = {
      ...(rule === undefined ? {} : { ruleId: rule }),
      ...(outcome.approvalId === undefined ? {} : { approvalId: outcome.approvalId }),
    };
    const incident = decision?.incidentId === undefined ? {} : { incidentId: decision.incidentId };
    // While a person thought about one call, the whole session may have been revoked.
    const restricted = kit.restrictionOn(attempt.agentId, attempt.sessionId, attempt.tool, attempt.effect);
    if (restricted?.decision === 'deny') return refusedBy(restricted);
    if (outcome.decided === 'denied') return refusedBy(outcome.decision);
    if (outcome.decided === 'timeout') {
      const verdict = refused('approval', reason, { ...named, rawDecision: 'hold' }, incident);
      return { ...verdict, audit: { ...verdict.audit, decision: 'timeout' } };
    }
    if (outcome.decided === 'refused') {
      const why = outcome.reason === undefined || outcome.reason === '' ? reason : outcome.reason;
      return refused('person', why, { ...named, rawDecision: 'hold' }, { ...incident, person: outcome.by });
    }
    const audit: AuditFields = {
      decision: 'allow',
      rawDecision: 'hold',
      reason: `approved by ${outcome.by}: ${reason}`,
    };
    return { audit: { ...audit, ...named } };
  }
}

const DEFINITION_RULE = 'mcp:definition-changed';
const DEFINITION_CHANGED = 'what the server says of this tool has changed since it was first seen';

const REFUSED_BY: Record<GatewayDecision['source'], RefusedBy> = {
  memory: 'command',
  observer: 'observer',
  posture: 'posture',
  passed: 'observer',
};

function refusedBy(decision: GatewayDecision): Verdict {
  const { incidentId, commandId, reason, source } = decision;
  const ruleId = ruleOf(decision);
  return refused(
    commandId === undefined ? REFUSED_BY[source] : 'command',
    reason,
    ruleId === undefined ? {} : { ruleId },
    {
      ...(incidentId === undefined ? {} : { incidentId }),
      ...(commandId === undefined ? {} : { commandId }),
    },
  );
}

function refused(
  by: RefusedBy,
  reason: string,
  audit: Omit<AuditFields, 'decision' | 'reason'>,
  facts: Omit<Refusal, 'by' | 'reason'> = {},
): Verdict {
  const { approvalId } = audit;
  return {
    audit: { decision: 'deny', rawDecision: 'deny', reason, ...audit },
    refusal: { by, reason, ...facts, ...(approvalId === undefined ? {} : { approvalId }) },
  };
}

/** Which rule the observer's decision stands for, in the audit's words. */
function ruleOf(decision: GatewayDecision | undefined): string | undefined {
  const id = decision?.commandId ?? decision?.incidentId;
  return id === undefined ? undefined : `parallax:${id}`;
}

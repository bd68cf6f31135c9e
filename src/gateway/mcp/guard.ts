import type { CallAttempt, GatewayClient, GatewayDecision } from '../port.js';
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
  kit: Pick<GatewayClient, 'check' | 'localDecision' | 'awaitApproval'>;
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
 * one of them wants it.
 */
export class Guard {
  readonly #options: GuardOptions;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  async decide(call: GuardedCall, hooks: GuardHooks): Promise<Verdict> {
    const { attempt, finding, definition } = call;
    const { tool } = attempt;
    if (finding.decision === 'deny') {
      return refused('rule', finding.reason ?? `${tool} is not allowed here`, { ruleId: finding.ruleId });
    }
    if (definition === 'refused') {
      return refused('definition', DEFINITION_CHANGED, { ruleId: DEFINITION_RULE });
    }
    if (finding.decision === 'ask') {
      // The question for a person is the question for the observer, too.
      const local = this.#options.kit.localDecision(attempt);
      if (local?.decision === 'deny') return refusedBy(local);
      const reason = finding.reason ?? `${tool} needs the approval of a person here`;
      return this.#ask({ attempt, reason, ruleId: finding.ruleId, ask: reason }, hooks);
    }
    const decision = await this.#options.kit.check(attempt);
    if (decision.decision === 'deny') return refusedBy(decision);
    if (decision.decision === 'hold') {
      const { reason, incidentId } = decision;
      const ruleId = ruleOf(decision);
      return this.#ask({ attempt, reason, ruleId, ...(incidentId === undefined ? {} : { incidentId }) }, hooks);
    }
    const { reason, approvalId } = decision;
    const audit: AuditFields = { decision: 'allow', reason, ...(approvalId === undefined ? {} : { approvalId }) };
    if (definition === 'changed') return { audit: { ...audit, ruleId: DEFINITION_RULE, reason: DEFINITION_CHANGED } };
    return { audit };
  }

  async #ask(held: HeldCall, { signal, waiting }: GuardHooks): Promise<Verdict> {
    const { approvalMs: withinMs, kit } = this.#options;
    const { attempt, reason, ruleId, incidentId, ask } = held;
    const done = waiting(reason);
    const request = { withinMs, signal, ...(ask === undefined ? {} : { ask }) };
    const outcome = await kit.awaitApproval(attempt, request).finally(done);
    const audit = { rawDecision: 'hold', ...(ruleId === undefined ? {} : { ruleId }) };
    const facts = incidentId === undefined ? {} : { incidentId };
    switch (outcome.outcome) {
      case 'approved': {
        const { approvalId } = outcome;
        const allowed = { ...audit, decision: 'allow' as const, reason: outcome.reason };
        return { audit: approvalId === undefined ? allowed : { ...allowed, approvalId } };
      }
      case 'rejected': {
        const { by: person, holdId: approvalId } = outcome;
        return refused('person', outcome.reason, { ...audit, approvalId }, { ...facts, person });
      }
      case 'denied':
        return refusedBy({ ...facts, ...outcome.decision });
      default: {
        const { holdId } = outcome;
        const named = holdId === undefined ? audit : { ...audit, approvalId: holdId };
        const verdict = refused('approval', reason, named, facts);
        return { ...verdict, audit: { ...verdict.audit, decision: 'timeout' } };
      }
    }
  }
}

/** A call that waits for a person. */
interface HeldCall {
  attempt: CallAttempt;
  reason: string;
  ruleId: string | undefined;
  incidentId?: string;
  /** Why our own rules want a person; absent where the observer does. */
  ask?: string;
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

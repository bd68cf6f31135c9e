import { McpError, type ToolAnnotations } from '@modelcontextprotocol/sdk/types.js';
import type { Clock } from '../../lib/clock.js';
import type { CallAttempt, GatewayClient } from '../port.js';
import { argumentFault } from './arguments.js';
import { auditRecords, type CallOutcome } from './audit.js';
import type { DefinitionBook } from './definitions.js';
import { effectOfAnnotations } from './effect.js';
import { isTimeout, ServerUnavailable } from './faults.js';
import type { Guard, GuardedCall, GuardHooks, Verdict } from './guard.js';
import type { CallRecord, LibraryLook, Report, Subject, ToolAnswer } from './port.js';
import { overdueAnswer, refusalAnswer, unavailableAnswer } from './refusal.js';
import type { ToolRules } from './rules.js';
import { traceIdsOf } from './trace-context.js';

export interface CallsOptions {
  kit: Pick<GatewayClient, 'observe'>;
  guard: Guard;
  rules: ToolRules;
  definitions: DefinitionBook;
  library: LibraryLook;
  /** Servers whose hints are not believed. */
  distrusted: ReadonlySet<string>;
  argumentChars: number;
  callMs: number;
  clock: Clock;
  elapsedMs: () => number;
  report: Report;
}

/** A call as a client wants it. */
export interface WantedCall {
  server: string;
  /** Under the name that clients, rules and records know. */
  tool: string;
  /** As the server calls it; absent where it is no tool. */
  original?: string;
  annotations?: ToolAnnotations | undefined;
  args: Record<string, unknown>;
  meta: Readonly<Record<string, unknown>> | undefined;
}

/** How a call is made, and what of the result the audit record shows. */
export interface Sending<T> {
  send: () => Promise<T>;
  show: (result: T) => NonNullable<CallOutcome['answer']>;
}

/** Made, or not made and why, in words for the client. */
export type Called<T> = { result: T } | { answer: ToolAnswer };

/** Every call through this gateway: decided, made, recorded. */
export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** @throws McpError with the server's own refusal, or when the client gave up */
  async make<T>(
    { subject, callId, wanted }: { subject: Subject; callId: string; wanted: WantedCall },
    { send, show }: Sending<T>,
    hooks: GuardHooks,
  ): Promise<Called<T>> {
    const { guard, elapsedMs, argumentChars } = this.#options;
    const startedAt = elapsedMs();
    const call = this.#guarded(subject, callId, wanted);
    const end = (verdict: Verdict, outcome: CallOutcome, how: CallRecord['outcome']) =>
      this.#record(call.attempt, { verdict, outcome, how, latencyMs: elapsedMs() - startedAt });

    const fault = argumentFault(wanted.args, argumentChars);
    const verdict = fault === undefined ? await guard.decide(call, hooks) : tooLarge(fault);
    if (verdict.refusal !== undefined) {
      // The observer would not take what is too large to be shown.
      if (fault !== undefined) call.attempt.args = {};
      end(verdict, {}, 'refused');
      return { answer: refusalAnswer(verdict.refusal, { ...subject, callId }) };
    }
    if (hooks.signal.aborted) {
      end(verdict, { error: 'cancelled', notMade: true }, 'cancelled');
      throw new McpError(CANCELLED, 'the client gave the call up');
    }
    try {
      const result = await send();
      const answer = show(result);
      const failed = answer.isError === true;
      end(verdict, failed ? { answer, error: 'tool_error' } : { answer }, failed ? 'failed' : 'executed');
      return { result };
    } catch (error) {
      if (hooks.signal.aborted) {
        end(verdict, { error: 'cancelled' }, 'cancelled');
        throw error;
      }
      if (error instanceof ServerUnavailable) {
        // It may have been executed where the connection broke under it.
        const notMade = error.cause === undefined;
        end(verdict, { error: 'unavailable', notMade }, 'unavailable');
        return { answer: unavailableAnswer(wanted.server, error.message) };
      }
      if (isTimeout(error)) {
        end(verdict, { error: 'timeout' }, 'failed');
        return { answer: overdueAnswer(wanted.server, this.#options.callMs) };
      }
      end(verdict, { error: error instanceof McpError ? `mcp_error_${error.code}` : 'bad_answer' }, 'failed');
      throw error;
    }
  }

  #guarded({ agentId, sessionId }: Subject, callId: string, wanted: WantedCall): GuardedCall {
    const { rules, definitions, library, distrusted, clock } = this.#options;
    const { tool, server, original, annotations, args, meta } = wanted;
    const finding = rules.find(tool);
    const known = library(agentId, tool);
    // Resources and prompts are looked at; the protocol has no other use for them.
    const access = original === undefined ? 'read' : undefined;
    const hinted = distrusted.has(server) ? undefined : effectOfAnnotations(annotations);
    const attempt: CallAttempt = {
      time: clock.now(),
      agentId,
      sessionId,
      callId,
      tool,
      effect: finding.effect ?? access ?? hinted ?? known.effect ?? 'unknown',
      args,
      ...(known.tier === undefined ? {} : { tier: known.tier }),
      ...traceIdsOf(meta),
    };
    const isChanged = original !== undefined && definitions.isChanged(server, original);
    const definition = !isChanged ? 'known' : definitions.refusesChanged ? 'refused' : 'changed';
    return { attempt, finding, definition };
  }

  #record(
    attempt: CallAttempt,
    {
      verdict,
      outcome,
      how,
      latencyMs,
    }: { verdict: Verdict; outcome: CallOutcome; how: CallRecord['outcome']; latencyMs: number },
  ): void {
    const { kit, clock, report } = this.#options;
    const { audit, refusal } = verdict;
    kit.observe(auditRecords(attempt, { audit, outcome, endedAt: clock.now() }));
    const { agentId, sessionId, callId, tool, effect = 'unknown' } = attempt;
    report({
      type: 'call',
      agentId,
      sessionId,
      callId,
      tool,
      effect,
      outcome: how,
      ...(refusal === undefined ? {} : { refusedBy: refusal.by }),
      ...(audit.ruleId === undefined ? {} : { ruleId: audit.ruleId }),
      ...(refusal?.incidentId === undefined ? {} : { incidentId: refusal.incidentId }),
      latencyMs: Math.round(latencyMs),
    });
  }
}

/** JSON-RPC leaves -32000 to -32099 to implementations. */
const CANCELLED = -32_000;

function tooLarge(reason: string): Verdict {
  return { audit: { decision: 'deny', ruleId: 'mcp:limit', reason }, refusal: { by: 'limit', reason } };
}

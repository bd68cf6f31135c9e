import type { z } from 'zod';
import type { Decision } from '../../model/observation.js';
import { checkRequestSchema } from '../../model/wire.js';
import type { GatewayDecision } from '../port.js';
import type { ToolOutcome } from './tools.js';

/** What an agent sends to the gateway: the call it wants made. */
export const callRequestSchema = checkRequestSchema
  .omit({ id: true, deadlineMs: true, tier: true, ask: true })
  .partial({ time: true });
export type CallRequest = z.infer<typeof callRequestSchema>;

/** What the agent gets back. */
export interface CallAnswer {
  executed: boolean;
  decision: Extract<Decision, 'allow' | 'deny' | 'timeout'>;
  /**
   * `policy`: the gateway's own; `command`: a restriction in force; `observer`: it said deny; `hold`: nobody approved
   * in time; `person`: somebody refused; `posture`: the observer did not answer.
   */
  refusedBy?: 'policy' | 'command' | 'observer' | 'hold' | 'person' | 'posture';
  reason: string;
  result?: ToolOutcome;
  /** What the kit said, with the time it took, ms; absent where it was not asked. */
  check?: GatewayDecision & { latencyMs: number };
}

/** One line that says what is wrong with a call request. */
export function describeCallFault(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'the call'}: ${issue.message}`).join('; ');
}

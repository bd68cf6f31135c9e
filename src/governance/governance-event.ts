import type { CallObservation, GovernanceObservation, Observation, ToolCallObservation } from '../model/observation.js';
import type { AgentRecord, Approval } from './agent-record.js';
import { isSelf } from './approver.js';

export function isCall(observation: Observation): observation is CallObservation {
  return observation.kind === 'tool_call' || observation.kind === 'tool_attempt';
}

export function isExecuted({ decision, error }: ToolCallObservation): boolean {
  return (decision === 'allow' || decision === 'transform') && error === undefined;
}

export function approvalFrom(event: GovernanceObservation): Approval {
  const { approvalId = '', approverId = '', time, expiresAt = Number.POSITIVE_INFINITY } = event;
  return { id: approvalId, approverId, self: isSelf(approverId, event), tools: toolsOf(event), time, expiresAt };
}

/** Who stands behind a grant: named on it, or by the approval it refers to; empty where nobody is. */
export function approverOf({ approverId, approvalId }: GovernanceObservation, record: AgentRecord | undefined): string {
  if (approverId !== undefined) return approverId;
  if (approvalId === undefined) return '';
  return record?.approvals.find(({ id }) => id === approvalId)?.approverId ?? '';
}

/** Tools that an event is about; empty where it names none. */
export function toolsOf({ tool, tools }: GovernanceObservation): string[] {
  return tool === undefined || tools.includes(tool) ? tools : [tool, ...tools];
}

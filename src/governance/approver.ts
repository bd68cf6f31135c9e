import { matchesAny, matchesName } from '../lib/name-pattern.js';
import type { Profile } from '../model/profile.js';

/**
 * Whether somebody may approve the use of a tool. Where the profile names no approvers nothing is presumed: everybody
 * may.
 *
 * @param tool empty where the approval names none: then it is enough to be an approver at all
 */
export function mayApprove(profile: Profile, approverId: string, tool: string): boolean {
  if (profile.approvers.length === 0) return true;
  if (approverId === '') return false;
  return profile.approvers.some(
    ({ id, mayApprove: tools }) => matchesName(id, approverId) && (tool === '' || matchesAny(tools, tool)),
  );
}

/** Whether the approver is the agent itself, the agent that started it, or the one who asked. */
export function isSelf(
  approverId: string,
  { agentId, parentAgentId, requesterId }: { agentId: string; parentAgentId?: string; requesterId?: string },
): boolean {
  if (approverId === '') return false;
  return approverId === agentId || approverId === parentAgentId || approverId === requesterId;
}

import type { GovernanceObservation, ToolCallObservation } from '../model/observation.js';
import type { Profile } from '../model/profile.js';
import type { AgentRecord } from './agent-record.js';
import { isSelf, mayApprove } from './approver.js';
import type { ApproverPace } from './approver-pace.js';
import { approverOf, toolsOf } from './governance-event.js';
import type { ApprovalFacts } from './port.js';

/** Two emitters' clocks may be this far apart before the order of what they report means anything, ms. */
const CLOCK_SKEW_MS = 5_000;

export const NO_APPROVAL: ApprovalFacts = {
  known: false,
  self: false,
  authorised: false,
  afterAct: false,
  lateMs: 0,
  recentByApprover: 0,
  by: '',
};

/** What is known of the agent that an approval is about. */
export interface About {
  record: AgentRecord | undefined;
  profile: Profile;
  pace: ApproverPace;
}

/** The approval that an executed call names. */
export function approvalOf(call: ToolCallObservation, { record, profile, pace }: About): ApprovalFacts {
  const approval = record?.approvals.find(({ id }) => id === call.approvalId);
  if (approval === undefined) return NO_APPROVAL;
  const { approverId: by, self, tools, time, expiresAt } = approval;
  const lateMs = Math.max(0, time - call.time);
  const afterAct = lateMs > CLOCK_SKEW_MS;
  const covers = tools.length === 0 || tools.includes(call.tool);
  const may = mayApprove(profile, by, call.tool);
  return {
    known: true,
    self,
    authorised: covers && may && !self && !afterAct && call.time < expiresAt,
    afterAct,
    lateMs,
    recentByApprover: pace.recentBy(call.tenant, by, time),
    by,
  };
}

/** A grant, scope change or approval, seen as what it is; before it is counted. */
export function approvalGiven(event: GovernanceObservation, { record, profile, pace }: About): ApprovalFacts {
  const by = approverOf(event, record);
  const self = isSelf(by, event);
  const act =
    event.approvalId === undefined ? undefined : record?.acts.find(({ approvalId }) => approvalId === event.approvalId);
  const lateMs = act === undefined ? 0 : Math.max(0, event.time - act.time);
  const afterAct = lateMs > CLOCK_SKEW_MS;
  return {
    known: true,
    self,
    authorised: !self && !afterAct && mayGive(event, by, profile),
    afterAct,
    lateMs,
    recentByApprover: by === '' ? 0 : pace.recentBy(event.tenant, by, event.time) + 1,
    by,
  };
}

function mayGive(event: GovernanceObservation, by: string, profile: Profile): boolean {
  const tools = toolsOf(event);
  return tools.length === 0 ? mayApprove(profile, by, '') : tools.every((tool) => mayApprove(profile, by, tool));
}

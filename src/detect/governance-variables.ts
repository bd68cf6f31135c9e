import type { GovernanceFacts } from '../governance/port.js';
import { TIERS } from '../model/observation.js';
import { SENSITIVITIES } from '../model/profile.js';
import { isOutsideHours, undeclaredDestinations } from './expected-scope.js';
import type { Assessment } from './port.js';
import type { Variable, VariableType, VariableValue } from './vocabulary.js';

function ofGovernance(
  name: string,
  { type, about, values }: { type: VariableType; about: string; values?: readonly string[] },
  read: (facts: GovernanceFacts) => VariableValue | undefined,
): Variable<Assessment> {
  const nothing = NOTHING[type];
  return {
    name,
    type,
    about,
    ...(values === undefined ? {} : { values }),
    read: ({ governance }) => (governance === undefined ? nothing : (read(governance) ?? nothing)),
  };
}

const NOTHING: Record<VariableType, VariableValue> = { text: '', number: 0, flag: false, list: [] };

const text = (name: string, about: string, read: (facts: GovernanceFacts) => string | undefined, values?: string[]) =>
  ofGovernance(name, { type: 'text', about, ...(values === undefined ? {} : { values }) }, read);
const number = (name: string, about: string, read: (facts: GovernanceFacts) => number | undefined) =>
  ofGovernance(name, { type: 'number', about }, read);
const flag = (name: string, about: string, read: (facts: GovernanceFacts) => boolean) =>
  ofGovernance(name, { type: 'flag', about }, read);

/** What governance and the reference library say at the event time of an observation. */
export const GOVERNANCE_VARIABLES: readonly Variable<Assessment>[] = [
  text(
    'library.class',
    'class of the agent: the profile in baselines/profiles that names it',
    (g) => g.library.agentClass.name,
  ),
  text('library.tier', 'tier of the tool in our own inventory; "" when it is not in it', (g) => g.library.tool?.tier, [
    ...TIERS,
    '',
  ]),
  text(
    'library.sensitivity',
    'sensitivity of the tool in the inventory; "" when not given',
    (g) => g.library.tool?.sensitivity,
    [...SENSITIVITIES, ''],
  ),
  flag('library.declared', 'the tool is in the inventory, or expected of the class', (g) => g.library.declared),
  number(
    'library.costUsdPerSession',
    "the class's budget for a session, US dollars; 0 when it has none",
    (g) => g.library.agentClass.profile.budgets.costUsdPerSession,
  ),
  number(
    'library.tokensPerSession',
    "the class's budget for a session, tokens; 0 when it has none",
    (g) => g.library.agentClass.profile.budgets.tokensPerSession,
  ),
  {
    name: 'library.undeclaredDestinations',
    type: 'list',
    about:
      "hosts among the call's targets that the class's profile does not expect; none where it lists no destinations",
    read: ({ observation, governance }) =>
      governance === undefined || !('targets' in observation)
        ? []
        : undeclaredDestinations(observation.targets, governance.library.agentClass.profile.destinations),
  },
  {
    name: 'library.outsideHours',
    type: 'flag',
    about: "the class's profile says when its agents are at work, and this is another time",
    read: ({ observation, governance }) =>
      governance !== undefined && isOutsideHours(observation.time, governance.library.agentClass.profile.hours),
  },
  flag(
    'grant.required',
    'this class may use the tool under a grant or an approval only',
    (g) => g.library.grantRequired,
  ),
  flag('grant.active', 'a grant of the tool was in force when the call was made', (g) => g.grant.active),
  flag('grant.authorised', 'it was given by somebody who may, and not by the one who asked', (g) => g.grant.authorised),
  flag('grant.expired', 'there was a grant; it had ended or been revoked', (g) => g.grant.expired),
  number(
    'grant.expiredMs',
    'event time since the end of the last grant, milliseconds; 0 while one is in force',
    (g) => g.grant.expiredMs,
  ),
  number('grant.ageMs', 'event time since the grant in force began, milliseconds', (g) => g.grant.ageMs),
  text('grant.by', 'who gave the grant in force', (g) => g.grant.by),
  flag(
    'approval.known',
    'the approval that the call names has been seen; true for a grant or approval itself',
    (g) => g.approval.known,
  ),
  flag(
    'approval.self',
    'the approver is the agent itself, the agent that started it, or the one who asked',
    (g) => g.approval.self,
  ),
  flag(
    'approval.authorised',
    'the approver may approve this for this class, it is no self-approval, and it came before the act',
    (g) => g.approval.authorised,
  ),
  flag('approval.afterAct', 'the approval was given after the call had been executed', (g) => g.approval.afterAct),
  number('approval.lateMs', 'by how much, milliseconds of event time', (g) => g.approval.lateMs),
  number(
    'approval.recentByApprover',
    'approvals and grants by the same person within a minute of event time, this one included',
    (g) => g.approval.recentByApprover,
  ),
  text('approval.by', 'who approved; "" when nobody is named', (g) => g.approval.by),
  flag(
    'policy.differs',
    'the call was decided under another policy version than the one in force',
    (g) => g.policy.differs,
  ),
  number('policy.behindMs', 'event time since that one came into force, milliseconds', (g) => g.policy.behindMs),
  text('policy.expected', 'the version in force', (g) => g.policy.expected),
  text(
    'policy.posture',
    'posture that governance last set for the agent; "" on other observations than calls and governance events',
    (g) => g.posture,
  ),
  flag(
    'grant.learning',
    'a learning window is open: the tool was properly granted lately',
    (g) => g.learning !== undefined,
  ),
];

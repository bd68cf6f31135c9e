import { inertText, MAX_LINE_CHARS } from '../../lib/text/inert-text.js';
import type { RefusedBy, Subject, ToolAnswer } from './port.js';

/** Why a call was not made. */
export interface Refusal {
  by: RefusedBy;
  reason: string;
  incidentId?: string;
  commandId?: string;
  /** Who decided, where it was a person. */
  person?: string;
  /** Where people find the call that waited. */
  approvalId?: string;
}

/**
 * What the client gets instead of a result: who refused, why, and what to do now. Written for the model as well as for
 * the person behind it. Says nothing of thresholds, patterns or other rules: they would show a way around.
 */
export function refusalAnswer(refusal: Refusal, { sessionId, callId }: Subject & { callId: string }): ToolAnswer {
  const { by, reason, incidentId, commandId, approvalId } = refusal;
  const references = [
    ...(incidentId === undefined ? [] : [`incident ${incidentId}`]),
    ...(commandId === undefined ? [] : [`command ${commandId}`]),
    ...(approvalId === undefined ? [] : [`approval ${approvalId}`]),
    `call ${callId}`,
    `session ${sessionId}`,
  ];
  const lines = [
    'This call was not executed.',
    `Refused by: ${whoOf(refusal)}`,
    `Reason: ${inertText(reason, MAX_LINE_CHARS)}`,
    `What to do: ${WHAT_TO_DO[by]}`,
    `For the operator: ${references.join(', ')}`,
  ];
  return failure(lines.join('\n'));
}

/** What the client gets when a server could not be asked. */
export function unavailableAnswer(server: string, reason: string): ToolAnswer {
  return failure(
    `This call was not executed.\nThe MCP server "${server}" cannot be reached: ${reason}.\n` +
      'What to do: try again in a moment, or go on without it.',
  );
}

/** What the client gets when a server was asked and did not answer in time. */
export function overdueAnswer(server: string, callMs: number): ToolAnswer {
  return failure(
    `The MCP server "${server}" has not answered within ${Math.round(callMs / 1000)} s and was told to stop.\n` +
      'What to do: find out whether the call took effect before you try again.',
  );
}

function failure(text: string): ToolAnswer {
  return { isError: true, content: [{ type: 'text', text }] };
}

function whoOf({ by, person }: Refusal): string {
  if (by === 'person') return `a person (${inertText(person ?? 'unnamed')})`;
  return WHO[by];
}

const WHO: Record<Exclude<RefusedBy, 'person'>, string> = {
  rule: 'the rules of this gateway',
  definition: 'this gateway, because the definition of the tool is not the one it knows',
  limit: 'this gateway, because of its limits',
  command: 'a containment in force, ordered by the Parallax observer or its operators',
  observer: 'the Parallax observer, which watches this agent',
  approval: 'this gateway, because no person has approved the call in time',
  posture: 'this gateway, because the Parallax observer could not be asked',
};

const STOP =
  'do not repeat the call and do not look for another way to the same end. Stop, and tell the person you work for; ';

const WHAT_TO_DO: Record<RefusedBy, string> = {
  rule: 'go on without this tool. Whoever runs this gateway can change its rules.',
  definition:
    'go on without this tool. Whoever runs this gateway should look at what the server now says of it and, if it is right, start the gateway once with --accept-changes.',
  limit: 'make a smaller request, or fewer at once.',
  command: `${STOP}an operator can lift the containment ("parallax containments" lists it).`,
  observer: `${STOP}an operator can look at the incident and judge it.`,
  approval:
    'tell the person you work for that the call waits for approval by a responder of the Parallax observer, and ask again when it is approved.',
  person: `${STOP}a person has looked at this very call and said no.`,
  posture: 'try again in a moment. If it lasts, whoever runs this gateway should see whether the observer is running.',
};

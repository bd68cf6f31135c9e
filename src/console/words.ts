import type { Command, CommandAction, CommandState, Restriction } from '../model/command.js';
import type { Incident, TimelineEntry } from '../model/incident.js';
import { inertText } from '../lib/text/inert-text.js';

/** Longest texts shown, characters. Whoever wrote them may be hostile. */
export const NAME_CHARS = 80;
export const LINE_CHARS = 300;
/** A threshold above this stands for "none yet". */
const NO_THRESHOLD_NATS = 1e5;

export function name(text: string): string {
  return inertText(text, NAME_CHARS);
}

export function line(text: string): string {
  return inertText(text, LINE_CHARS);
}

export function nats(value: number): string {
  return Number.isFinite(value) ? value.toFixed(1) : '0.0';
}

/** `1,204`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function plural(value: number, one: string): string {
  return `${count(value)} ${one}${value === 1 ? '' : 's'}`;
}

export function hasThreshold(thresholdNats: number): boolean {
  return thresholdNats < NO_THRESHOLD_NATS;
}

/** What a command asks for, as a sentence begins. */
export function askedBy({ action, tool, sessionId, posture }: Command): string {
  const acts: Record<CommandAction, string> = {
    'revoke-session': `Revoke session ${name(sessionId ?? '')}`,
    'freeze-tool': `Freeze tool ${name(tool ?? '')}`,
    'downgrade-posture': posture === 'read-only' ? 'Let it only read' : 'Ask a person before it acts',
    'suspend-agent': 'Suspend the agent',
  };
  return acts[action];
}

/** Where a command is in its life. */
export function stateOf({ state, dryRun, acknowledgements, decidedBy }: Command): string {
  const isConfirmed = acknowledgements.length > 0;
  const states: Record<CommandState, string> = {
    proposed: dryRun ? 'only noted: nothing is enforced in observe mode' : 'waits for a person to decide',
    approved: `approved by ${name(decidedBy ?? 'a person')}`,
    rejected: `rejected by ${name(decidedBy ?? 'a person')}`,
    sent: isConfirmed ? 'sent' : 'sent, not yet confirmed',
    acknowledged: 'in force',
    enforced: 'in force, and a call was refused because of it',
    expired: 'over: its time was up',
    undone: 'lifted',
    failed: isConfirmed ? 'a gateway refused it' : 'sent, but no gateway confirmed it in time',
  };
  return states[state];
}

/** What one gateway says about a command. */
export function confirmation({ gatewayId, effective }: Command['acknowledgements'][number]): string {
  const who = name(gatewayId);
  if (effective === 'rejected') return `refused by ${who}`;
  return effective === 'lifted' ? `lifting confirmed by ${who}` : `confirmed by ${who}`;
}

/** What an agent may not do now, in few words. */
export function restrictionWords(restriction: Restriction): string[] {
  const { revokedSessions, frozenTools, downgrades = [], suspensions = [] } = restriction;
  const words: string[] = [];
  if (suspensions.length > 0) words.push('suspended');
  if (downgrades.some(({ posture }) => posture === 'read-only')) words.push('may only read');
  else if (downgrades.length > 0) words.push('needs approval');
  if (revokedSessions.length > 0) words.push(`${plural(revokedSessions.length, 'session')} revoked`);
  if (frozenTools.length === 1) words.push(`${name(frozenTools[0]?.tool ?? '')} frozen`);
  else if (frozenTools.length > 1) words.push(`${count(frozenTools.length)} tools frozen`);
  return words;
}

/** What the observer itself did about an incident, for its lane of the timeline. */
export function ownActs(incident: Incident, commands: readonly Command[]): TimelineEntry[] {
  const own = (time: number, text: string, refId: string): TimelineEntry => ({ time, stream: 'parallax', text, refId });
  const acts = [own(incident.openedAt, `incident opened: ${line(incident.title)}`, incident.id)];
  for (const command of commands) {
    const asked = askedBy(command);
    acts.push(own(command.issuedAt, `${asked}${command.dryRun ? ' (only noted)' : ''}`, command.id));
    for (const answer of command.acknowledgements) {
      acts.push(own(answer.time, `${asked}: ${confirmation(answer)}`, command.id));
    }
  }
  if (incident.status === 'closed') {
    const verdict = name(incident.verdict ?? 'closed');
    acts.push(own(incident.updatedAt, `closed as ${verdict} by ${name(incident.closedBy ?? '')}`, incident.id));
  }
  return acts;
}

import {
  isConfirmed,
  missingGateways,
  stillLifting,
  type Command,
  type CommandAction,
  type CommandState,
  type Restriction,
  type RestrictionEntry,
} from '../model/command.js';
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

/** Most gateways named in one line. */
const MAX_NAMED = 4;

function names(gatewayIds: readonly string[]): string {
  const named = gatewayIds.slice(0, MAX_NAMED).map(name).join(', ');
  return gatewayIds.length > MAX_NAMED ? `${named} and ${gatewayIds.length - MAX_NAMED} more` : named;
}

/** Where a command is in its life. Only what every gateway that guards the agent has confirmed is said to be in force. */
export function stateOf(command: Command): string {
  const { state, dryRun, decidedBy, bypassedBy = [], acknowledgements } = command;
  const missing = missingGateways(command);
  const lifting = stillLifting(command);
  const lifted = lifting.length === 0 ? '' : `, not yet confirmed by ${names(lifting)}`;
  const unconfirmed = missing.length === 0 ? 'no gateway confirmed it in time' : `not confirmed by ${names(missing)}`;
  const refused = acknowledgements.some(({ effective }) => effective === 'rejected');
  const states: Record<CommandState, string> = {
    proposed: dryRun ? 'only noted: nothing is enforced in observe mode' : 'waits for a person to decide',
    approved: `approved by ${name(decidedBy ?? 'a person')}`,
    rejected: `rejected by ${name(decidedBy ?? 'a person')}`,
    sent: missing.length === 0 ? 'sent, not yet confirmed' : `sent, not yet confirmed by ${names(missing)}`,
    acknowledged: 'in force',
    enforced: 'in force, and a call was refused because of it',
    expired: `over: its time was up${lifted}`,
    undone: `lifted${lifted}`,
    failed:
      bypassedBy.length > 0
        ? `not in force: ${names(bypassedBy)} let a call pass`
        : refused
          ? `a gateway refused it: ${unconfirmed}`
          : `sent, but ${unconfirmed}`,
  };
  return states[state];
}

/** What one gateway says about a command. */
export function confirmation(
  { gatewayId, effective }: Command['acknowledgements'][number],
  { bypassedBy = [] }: Pick<Command, 'bypassedBy'> = {},
): string {
  const who = name(gatewayId);
  if (bypassedBy.includes(gatewayId)) return `${who} said so, and let a call pass`;
  if (effective === 'rejected') return `refused by ${who}`;
  return effective === 'lifted' ? `lifting confirmed by ${who}` : `confirmed by ${who}`;
}

/**
 * What an agent may not do now, in few words.
 *
 * @param find a command by its id: what no gateway has confirmed is not said to be so
 */
export function restrictionWords(restriction: Restriction, find: (commandId: string) => Command | undefined): string[] {
  const said = (words: string, entries: readonly RestrictionEntry[]) => {
    const isSo = entries.every(({ commandId }) => {
      const command = find(commandId);
      return command !== undefined && isConfirmed(command);
    });
    return isSo ? words : `${words} (not confirmed)`;
  };
  const { revokedSessions, frozenTools, downgrades = [], suspensions = [] } = restriction;
  const words: string[] = [];
  if (suspensions.length > 0) words.push(said('suspended', suspensions));
  if (downgrades.some(({ posture }) => posture === 'read-only')) words.push(said('may only read', downgrades));
  else if (downgrades.length > 0) words.push(said('needs approval', downgrades));
  if (revokedSessions.length > 0)
    words.push(said(`${plural(revokedSessions.length, 'session')} revoked`, revokedSessions));
  if (frozenTools.length === 1) words.push(said(`${name(frozenTools[0]?.tool ?? '')} frozen`, frozenTools));
  else if (frozenTools.length > 1) words.push(said(`${count(frozenTools.length)} tools frozen`, frozenTools));
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
      acts.push(own(answer.time, `${asked}: ${confirmation(answer, command)}`, command.id));
    }
  }
  if (incident.status === 'closed') {
    const verdict = name(incident.verdict ?? 'closed');
    acts.push(own(incident.updatedAt, `closed as ${verdict} by ${name(incident.closedBy ?? '')}`, incident.id));
  }
  return acts;
}

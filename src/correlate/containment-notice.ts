import { stableId } from '../lib/hash.js';
import type { Command } from '../model/command.js';
import type { Incident, TimelineEntry } from '../model/incident.js';

const MAX_TIMELINE = 40;

/** A containment that gateways do not confirm, or do not keep to; see src/respond/confirmations.ts. */
export interface Trouble {
  kind: 'unconfirmed' | 'confirmed' | 'bypass' | 'undecided';
  command: Command;
  gateways: string[];
  hadConfirmed?: boolean;
  call?: { id: string; tool: string };
}

/**
 * The incident that tells people of it, made or brought up to date. It is one of its own beside that of the session: what
 * is wrong is a gateway, and a verdict on the session says nothing about that.
 *
 * @param time when it came to light, epoch ms
 * @param find an incident of the same tenant by its id
 * @returns undefined where people have closed it already, or there is nothing to add to
 */
export function containmentNotice(
  trouble: Trouble,
  time: number,
  find: (id: string) => Incident | undefined,
): { incident: Incident; isNew: boolean } | undefined {
  const { kind, command, gateways } = trouble;
  const about = kind === 'bypass' ? ['bypass', ...gateways] : [kind === 'undecided' ? kind : 'unconfirmed'];
  const id = stableId('inc', command.tenant, command.id, ...about);
  const held = find(id);
  if (held?.status === 'closed' || (kind === 'confirmed' && held === undefined)) return undefined;
  const { text, title } = wordsOf(trouble);
  const line: TimelineEntry = { time, stream: 'parallax', text, refId: trouble.call?.id ?? command.id };
  const timeline = [...(held?.timeline ?? []), line].slice(-MAX_TIMELINE);
  const updatedAt = Math.max(time, held?.updatedAt ?? 0);
  if (held !== undefined) {
    const status = kind === 'confirmed' ? 'contained' : 'open';
    return { incident: { ...held, status, updatedAt, timeline }, isNew: false };
  }
  const incident: Incident = {
    id,
    tenant: command.tenant,
    agentId: command.agentId,
    openedAt: time,
    updatedAt,
    status: 'open',
    severity: kind === 'bypass' ? 'critical' : 'high',
    title,
    // Nothing is improbable about it: it was seen.
    riskNats: 0,
    thresholdNats: 0,
    budget: 0,
    calibrationGroups: 0,
    arithmetic: [],
    signals: [],
    timeline,
    emitters: kind === 'bypass' ? gateways : [],
    violation: kind === 'bypass',
    // Not the command: closing this as a false alarm must not lift the containment.
    commandIds: [],
  };
  if (command.sessionId !== undefined) incident.sessionId = command.sessionId;
  return { incident, isNew: true };
}

function wordsOf({ kind, command, gateways, hadConfirmed, call }: Trouble): { text: string; title: string } {
  const what = `${command.action} of ${command.agentId}`;
  const who = gateways.length === 0 ? 'any gateway' : gateways.join(', ');
  if (kind === 'confirmed') return { text: `${what} is confirmed now, by ${who}`, title: '' };
  if (kind === 'undecided') {
    return { text: `${what} waits for a person still`, title: `nobody has decided about ${what} in time` };
  }
  if (kind === 'unconfirmed') {
    return {
      text: `${what} was given out ${command.deliveries ?? 1} times and is not confirmed by ${who}`,
      title: `containment not confirmed: ${what}, by ${who}`,
    };
  }
  const how = hadConfirmed === true ? 'in spite of its confirmation' : 'without having confirmed it';
  return {
    text: `${who} executed ${call?.tool ?? 'a call'} against ${what}, ${how}`,
    title: `containment bypassed: ${who} executed ${call?.tool ?? 'a call'} ${how} (${what})`,
  };
}

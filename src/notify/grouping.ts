import type { Command, CommandState } from '../model/command.js';
import { SEVERITIES, type Incident, type Severity } from '../model/incident.js';
import { cleanText } from './clean.js';
import type { IncidentNotice } from './port.js';

/** Steps of a command that people are told of; the ones in between say nothing new. */
const TELLING_STATES = new Set<CommandState>(['enforced', 'failed', 'expired', 'undone']);
const MAX_CHANGES = 12;
const SUBJECT_CHARS = 120;

/** How messages about one incident are put together. */
export interface GroupingRules {
  /** Incidents below it concern nobody who is reached this way. */
  minSeverity: Severity;
  /** From which severity on people are told of an agent's incidents at all; any severity where it is left out. */
  alertFrom?: (agentId: string) => Severity;
  /** Wait before any message, so that what belongs together comes together, ms. */
  settleMs: number;
  /** Least time between two messages about an open incident, ms. */
  updateEveryMs: number;
}

/** What is remembered of one incident: enough to know what people were told, and whether they are to be told more. */
export interface Thread {
  incidentId: string;
  tenant: string;
  /** Current. */
  severity: Severity;
  /** Absent until the first message went out (or into a summary). */
  told?: Told;
  subject: string;
  /** Messages after the first one. */
  updates: number;
  lastSentAt: number;
  /** When the next message is to go, epoch ms; absent when there is nothing to tell. */
  dueAt?: number;
  attempts: number;
}

interface Told {
  severity: Severity;
  isClosed: boolean;
  commands: Record<string, CommandState>;
  detectors: string[];
}

/** What there is to tell, if anything. */
export interface News {
  kind: IncidentNotice['kind'];
  changes: string[];
}

/** Takes in an incident's new state. @returns the changed thread, or undefined where the incident concerns nobody */
export function afterIncident(
  thread: Thread | undefined,
  incident: Incident,
  now: number,
  rules: GroupingRules,
): Thread | undefined {
  // Closed before anybody heard of it, for example because mail was turned on afterwards.
  if (thread === undefined && (incident.status === 'closed' || isUntold(incident, rules))) {
    return undefined;
  }
  const own = thread ?? newThread(incident);
  const severity = higher(own.severity, incident.severity);
  const news = newsOf(own, incident, [], rules);
  const dueAt = news === undefined ? own.dueAt : earlier(own.dueAt, dueTime(own, news.kind, now, rules));
  return dueAt === undefined ? { ...own, severity } : { ...own, severity, dueAt };
}

/** Takes in a command's new state; whether there is something to tell shows when the message is due. */
export function afterCommand(thread: Thread, command: Command, now: number, rules: GroupingRules): Thread {
  const { told } = thread;
  if (told === undefined || told.isClosed || !isNewToReader(told, command)) return thread;
  return { ...thread, dueAt: earlier(thread.dueAt, dueTime(thread, 'updated', now, rules)) };
}

/** What people do not know yet about an incident. */
export function newsOf(
  thread: Thread,
  incident: Incident,
  commands: readonly Command[],
  rules: GroupingRules,
): News | undefined {
  const { told } = thread;
  const isClosed = incident.status === 'closed';
  if (told === undefined) {
    if (isUntold(incident, rules)) return undefined;
    return { kind: isClosed ? 'resolved' : 'opened', changes: [] };
  }
  if (told.isClosed) return undefined;
  const changes: string[] = [];
  if (isBelow(told.severity, incident.severity)) {
    changes.push(`severity rose from ${told.severity} to ${incident.severity}`);
  }
  for (const command of commands) {
    if (isNewToReader(told, command)) changes.push(`command ${describeCommand(command)}`);
  }
  for (const detector of new Set(shownDetectors(incident))) {
    if (!told.detectors.includes(detector)) changes.push(`also found by ${cleanText(detector, 80)}`);
  }
  if (isClosed) return { kind: 'resolved', changes: changes.slice(0, MAX_CHANGES) };
  return changes.length === 0 ? undefined : { kind: 'updated', changes: changes.slice(0, MAX_CHANGES) };
}

/** The message for an incident's news. */
export function noticeOf(thread: Thread, news: News, incident: Incident, commands: readonly Command[]): IncidentNotice {
  const threadKey = `${thread.incidentId}.opened`;
  const keys = { opened: threadKey, updated: `${thread.incidentId}.update-${thread.updates + 1}` };
  const key = news.kind === 'resolved' ? `${thread.incidentId}.resolved` : keys[news.kind];
  return { kind: news.kind, key, threadKey, subject: thread.subject, incident, commands, changes: news.changes };
}

/** The thread once its message has gone out. */
export function afterSending(
  thread: Thread,
  { kind, incident, commands }: Pick<IncidentNotice, 'kind' | 'incident' | 'commands'>,
  now: number,
): Thread {
  const { dueAt: _done, ...rest } = thread;
  const told: Told = {
    severity: higher(thread.told?.severity ?? incident.severity, incident.severity),
    isClosed: incident.status === 'closed',
    commands: Object.fromEntries(commands.map(({ id, state }) => [id, state])),
    detectors: [...new Set(shownDetectors(incident))],
  };
  return { ...rest, told, updates: thread.updates + (kind === 'opened' ? 0 : 1), lastSentAt: now, attempts: 0 };
}

/** The thread when its message turned out to have nothing to say. */
export function withoutMessage(thread: Thread): Thread {
  const { dueAt: _nothing, ...rest } = thread;
  return rest;
}

/** `freeze-tool send_money: enforced`, with what an agent may have written cleaned. */
export function describeCommand(command: Command): string {
  const object = command.tool ?? command.sessionId ?? command.agentId;
  const state = command.dryRun ? 'proposed only, nothing is enforced (observe mode)' : command.state;
  return `${command.action} ${cleanText(object, 80)}: ${state}`;
}

/** Most severe first, then by the time at which they are due. */
export function byUrgency(a: Thread, b: Thread): number {
  return rank(b.severity) - rank(a.severity) || (a.dueAt ?? 0) - (b.dueAt ?? 0);
}

/** Whether an incident is too mild for anybody to be told of it. */
function isUntold({ severity, agentId }: Incident, { minSeverity, alertFrom }: GroupingRules): boolean {
  return isBelow(severity, minSeverity) || (alertFrom !== undefined && isBelow(severity, alertFrom(agentId)));
}

export function isBelow(severity: Severity, limit: Severity): boolean {
  return rank(severity) < rank(limit);
}

function newThread(incident: Incident): Thread {
  const { id, tenant, severity } = incident;
  const subject = cleanText(`[Parallax] ${cleanText(incident.agentId, 60)}: ${incident.title}`, SUBJECT_CHARS);
  return { incidentId: id, tenant, severity, subject, updates: 0, lastSentAt: 0, attempts: 0 };
}

function dueTime(thread: Thread, kind: News['kind'], now: number, rules: GroupingRules): number {
  const soon = now + rules.settleMs;
  return kind === 'updated' ? Math.max(soon, thread.lastSentAt + rules.updateEveryMs) : soon;
}

function isNewToReader(told: Told, command: Command): boolean {
  const known = told.commands[command.id];
  return known === undefined || (known !== command.state && TELLING_STATES.has(command.state));
}

function shownDetectors(incident: Incident): string[] {
  return incident.signals.filter((signal) => !signal.shadow).map((signal) => signal.detectorId);
}

function earlier(a: number | undefined, b: number): number {
  return a === undefined ? b : Math.min(a, b);
}

function higher(a: Severity, b: Severity): Severity {
  return isBelow(a, b) ? b : a;
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

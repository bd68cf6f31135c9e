import {
  COMMAND_ACTIONS,
  COMMAND_STATES,
  LOWERED_POSTURES,
  type CommandAction,
  type CommandState,
  type LoweredPosture,
  type Restriction,
  type RestrictionEntry,
} from '../model/command.js';
import type { SignedKind } from '../model/signed-message.js';
import type { CheckAnswer, IntakeReport } from '../model/wire.js';
import { isRecord } from './json.js';

/*
 * Hand-written readers of what the observer sends. Each gives undefined for anything it does not understand; the
 * caller then behaves as if nothing had been said.
 */

/** The part of a command that a gateway acts on. */
export interface CommandMessage {
  id: string;
  action: CommandAction;
  agentId: string;
  sessionId?: string;
  tool?: string;
  posture?: LoweredPosture;
  reason: string;
  expiresAt: number;
  dryRun: boolean;
  state: CommandState;
}

export function readCheckAnswer(value: unknown): CheckAnswer | undefined {
  if (!isRecord(value)) return undefined;
  const { decision, wouldBe, reason, incidentId, commandId, holdId, approvalId, riskNats, thresholdNats, timedOut } =
    value;
  if (!isVerdict(decision) || !isVerdict(wouldBe) || typeof reason !== 'string' || typeof timedOut !== 'boolean') {
    return undefined;
  }
  const answer: CheckAnswer = {
    decision,
    wouldBe,
    reason,
    riskNats: typeof riskNats === 'number' ? riskNats : 0,
    thresholdNats: typeof thresholdNats === 'number' ? thresholdNats : 0,
    timedOut,
  };
  if (typeof incidentId === 'string') answer.incidentId = incidentId;
  if (typeof commandId === 'string') answer.commandId = commandId;
  if (typeof holdId === 'string') answer.holdId = holdId;
  if (typeof approvalId === 'string') answer.approvalId = approvalId;
  return answer;
}

/** What a signed message says, by its kind. */
export type MessageContent =
  | { kind: 'state'; restrictions: Restriction[] }
  | { kind: 'restriction'; restriction: Restriction }
  | { kind: 'command'; command: CommandMessage }
  | { kind: 'alive' };

/** Reads the body of a signed message. */
export function readContent(kind: SignedKind, body: unknown): MessageContent | undefined {
  if (kind === 'alive') return { kind };
  if (kind === 'state') {
    const restrictions = readState(body);
    return restrictions && { kind, restrictions };
  }
  if (kind === 'restriction') {
    const restriction = readRestriction(body);
    return restriction && { kind, restriction };
  }
  const command = readCommand(body);
  return command && { kind, command };
}

function readState(value: unknown): Restriction[] | undefined {
  if (!isRecord(value)) return undefined;
  return readList(value['restrictions'], readRestriction);
}

function readRestriction(value: unknown): Restriction | undefined {
  if (!isRecord(value)) return undefined;
  const { tenant, agentId, version } = value;
  if (typeof agentId !== 'string' || typeof version !== 'number' || !Number.isSafeInteger(version)) return undefined;
  const revokedSessions = readList(value['revokedSessions'], (item) => {
    const entry = readEntry(item);
    if (entry === undefined || !isRecord(item) || typeof item['sessionId'] !== 'string') return undefined;
    return { sessionId: item['sessionId'], ...entry };
  });
  const frozenTools = readList(value['frozenTools'], (item) => {
    const entry = readEntry(item);
    if (entry === undefined || !isRecord(item) || typeof item['tool'] !== 'string') return undefined;
    return { tool: item['tool'], ...entry };
  });
  const downgrades = readList(value['downgrades'] ?? [], (item) => {
    const entry = readEntry(item);
    if (entry === undefined || !isRecord(item)) return undefined;
    const posture = LOWERED_POSTURES.find((known) => known === item['posture']);
    return posture === undefined ? undefined : { posture, ...entry };
  });
  const suspensions = readList(value['suspensions'] ?? [], readEntry);
  if (revokedSessions === undefined || frozenTools === undefined) return undefined;
  if (downgrades === undefined || suspensions === undefined) return undefined;
  return {
    tenant: typeof tenant === 'string' ? tenant : '',
    agentId,
    version,
    revokedSessions,
    frozenTools,
    downgrades,
    suspensions,
  };
}

function readCommand(value: unknown): CommandMessage | undefined {
  if (!isRecord(value)) return undefined;
  const { id, agentId, sessionId, tool, reason, expiresAt, dryRun } = value;
  const action = COMMAND_ACTIONS.find((known) => known === value['action']);
  const state = COMMAND_STATES.find((known) => known === value['state']);
  if (typeof id !== 'string' || typeof agentId !== 'string' || action === undefined || state === undefined) {
    return undefined;
  }
  if (!isMoment(expiresAt) || typeof dryRun !== 'boolean') return undefined;
  const posture = LOWERED_POSTURES.find((known) => known === value['posture']);
  const command: CommandMessage = { id, action, agentId, reason: '', expiresAt, dryRun, state };
  if (typeof reason === 'string') command.reason = reason;
  if (typeof sessionId === 'string') command.sessionId = sessionId;
  if (typeof tool === 'string') command.tool = tool;
  if (posture !== undefined) command.posture = posture;
  return command;
}

export function readIntakeReport(value: unknown): IntakeReport | undefined {
  if (!isRecord(value) || typeof value['accepted'] !== 'number') return undefined;
  const refused = readList(value['refused'], (item) => {
    if (!isRecord(item)) return undefined;
    const { index, field, reason } = item;
    return { index: Number(index), field: String(field), reason: String(reason) };
  });
  return refused === undefined ? undefined : { accepted: value['accepted'], refused };
}

export function readEntry(value: unknown): RestrictionEntry | undefined {
  if (!isRecord(value)) return undefined;
  const { commandId, expiresAt, reason } = value;
  if (typeof commandId !== 'string' || !isMoment(expiresAt)) return undefined;
  return { commandId, expiresAt, reason: typeof reason === 'string' ? reason : '' };
}

/** A list in which every item can be read, or undefined: half a state must not be enforced as if it were whole. */
export function readList<T>(value: unknown, read: (item: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: T[] = [];
  for (const raw of value) {
    const item = read(raw);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

function isVerdict(value: unknown): value is 'allow' | 'hold' | 'deny' {
  return value === 'allow' || value === 'hold' || value === 'deny';
}

/** Longest time that a date can show, epoch ms. */
const MAX_MOMENT = 8.64e15;

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MAX_MOMENT;
}

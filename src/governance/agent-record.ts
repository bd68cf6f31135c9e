import type { CappedEntry } from '../lib/capped-state-table.js';

/** Tools with grants kept of one agent, grants of one tool, approvals, and executed calls that name an approval. */
const MAX_TOOLS = 64;
const MAX_GRANTS = 4;
const MAX_APPROVALS = 64;
const MAX_ACTS = 64;

export interface Grant {
  /** Epoch ms, event time. */
  from: number;
  /** Epoch ms; Infinity where it does not end. */
  expiresAt: number;
  approverId: string;
  approvalId: string;
  /** Emitter that reported it. */
  principalId: string;
  authorised: boolean;
  /** The learning window it opened: until when, and for how many more calls; 0 where it opened none. */
  learnUntil: number;
  learnCalls: number;
  /** Event time of the first call that was executed under it, epoch ms; absent before any. */
  usedAt?: number;
}

export interface GrantedTool {
  tool: string;
  /** Latest first. */
  grants: Grant[];
  /** Event time of the latest revocation, epoch ms; -1 before any. */
  revokedAt: number;
}

export interface Approval {
  id: string;
  approverId: string;
  self: boolean;
  /** Empty where the approval names no tool. */
  tools: string[];
  time: number;
  expiresAt: number;
}

/** An executed call that named an approval. */
export interface Act {
  approvalId: string;
  time: number;
}

/** What governance said about one agent. Plain data; bounded. */
export interface AgentRecord extends CappedEntry {
  tools: GrantedTool[];
  /** Oldest first. */
  approvals: Approval[];
  acts: Act[];
  posture: string;
  postureTime: number;
  /** Announced for this agent alone. */
  policy: { version: string; since: number };
}

/** Key of an agent or a person. The length before it keeps a tenant's name from running into an agent's. */
export function keyOf(tenant: string, id: string): string {
  return `${tenant.length}:${tenant}/${id}`;
}

export function newRecord(key: string): AgentRecord {
  return {
    key,
    changed: 0,
    tools: [],
    approvals: [],
    acts: [],
    posture: '',
    postureTime: -1,
    policy: { version: '', since: -1 },
  };
}

export function toolOf(record: AgentRecord, tool: string): GrantedTool | undefined {
  return record.tools.find((held) => held.tool === tool);
}

/** @returns entries that gave way */
export function addGrant(record: AgentRecord, tool: string, grant: Grant): number {
  const held = toolOf(record, tool) ?? { tool, grants: [], revokedAt: -1 };
  held.grants.push(grant);
  held.grants.sort((a, b) => b.from - a.from);
  const surplus = Math.max(0, held.grants.length - MAX_GRANTS);
  held.grants.length -= surplus;
  return surplus + keepTool(record, held);
}

/** A revocation may come before the grant it ends: it is kept all the same. @returns entries that gave way */
export function revoke(record: AgentRecord, tool: string, time: number): number {
  const held = toolOf(record, tool) ?? { tool, grants: [], revokedAt: -1 };
  held.revokedAt = Math.max(held.revokedAt, time);
  return keepTool(record, held);
}

export function addApproval(record: AgentRecord, approval: Approval): number {
  return push(record.approvals, approval, MAX_APPROVALS);
}

export function addAct(record: AgentRecord, act: Act): number {
  return push(record.acts, act, MAX_ACTS);
}

/** The grant of a tool that is in force at an event time, and else when the last one ended (epoch ms, -1 for never). */
export function grantAt(held: GrantedTool | undefined, time: number): { grant: Grant | undefined; endedAt: number } {
  let endedAt = -1;
  let unauthorised: Grant | undefined;
  for (const grant of held?.grants ?? []) {
    const end = endOf(grant, held?.revokedAt ?? -1);
    if (grant.from > time) continue;
    if (time < end) {
      if (grant.authorised) return { grant, endedAt: -1 };
      unauthorised ??= grant;
    } else endedAt = Math.max(endedAt, end);
  }
  return { grant: unauthorised, endedAt };
}

/** When a grant ends or ended, epoch ms of event time; Infinity where it does not. */
export function endOf(grant: Grant, revokedAt: number): number {
  return revokedAt >= grant.from ? Math.min(grant.expiresAt, revokedAt) : grant.expiresAt;
}

/** The tool heard of last comes last; the first gives way. */
function keepTool(record: AgentRecord, held: GrantedTool): number {
  record.tools = record.tools.filter((other) => other !== held);
  return push(record.tools, held, MAX_TOOLS);
}

function push<T>(list: T[], entry: T, most: number): number {
  list.push(entry);
  if (list.length <= most) return 0;
  list.shift();
  return 1;
}

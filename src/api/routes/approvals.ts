import { z } from 'zod';
import type { Command } from '../../model/command.js';
import { HOLD_STATES, mayDecideHold, type Hold } from '../../model/hold.js';
import { mayActFor, type Principal } from '../../model/principal.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps, ApiPorts } from '../context.js';
import { ApiError } from '../errors.js';
import { boardLimit, listLimit, waitMsOf } from '../query.js';
import { readJson } from '../read-body.js';
import type { SubscriberSlots } from '../subscriber-slots.js';
import { SMALL_BODY_BYTES } from './commands.js';
import { decisionSchema, postDecision } from './containment.js';

/** Something that waits for a person, or did: a held call, or a command that the policy only proposed. */
export interface Approval {
  id: string;
  kind: 'call' | 'command';
  agentId: string;
  sessionId?: string;
  /** The tool of a call; the action of a command. */
  what: string;
  /** What the call acts on, or whom the command is against. What an agent wrote is in it. */
  summary: string;
  /** Why a person is asked. */
  reason: string;
  incidentId?: string;
  /** Epoch ms. */
  since: number;
  expiresAt: number;
  onTimeout: string;
  state: string;
  decidedBy?: string;
  decisionReason?: string;
}

/** `GET /v1/approvals?state=&limit=`: what waits for a person, oldest first; `state=all` for what was decided too. */
export function getApprovals({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const { principal } = c.var;
    const limit = listLimit(c);
    const wanted = c.req.query('state') ?? 'waiting';
    if (wanted !== 'all' && wanted !== 'waiting') {
      throw new ApiError(400, 'invalid', 'must be waiting or all', { field: 'state' });
    }
    const filter = { tenant: principal.tenant, limit: boardLimit(principal, MAX_LISTED) };
    const own = ({ agentId }: { agentId: string }) => mayActFor(principal, agentId);
    const calls = ports.holds.list(filter).filter(own).map(callApproval);
    const proposed = ports.commands.list(filter).filter((one) => own(one) && wasProposed(one));
    const approvals = [...calls, ...proposed.map(commandApproval)].filter(
      ({ state }) => wanted === 'all' || state === 'waiting',
    );
    approvals.sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
    return c.json({ approvals: wanted === 'all' ? approvals.slice(-limit) : approvals.slice(0, limit) });
  };
}

/** `POST /v1/approvals/:id/approve` and `.../reject`: a person decides, whichever of the two it is. */
export function postApproval(deps: ApiDeps, decision: 'approve' | 'reject') {
  const { ports, budget } = deps;
  const decideCommand = postDecision(deps, decision);
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    const hold = ports.holds.get(principal.tenant, idOf(c));
    if (hold === undefined) return decideCommand(c);
    const visible = visibleHold(c, ports);
    const body = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, decisionSchema);
    checkWaiting(visible, ports.clock.now());
    checkUninvolved(visible, principal, ports);
    const { tenant, id: holdId } = visible;
    const said = { time: ports.clock.now(), tenant, by: principal.id, reason: body.reason };
    await ports.journal.order({ ...said, order: decision, holdId });
    return c.json({ recorded: true }, 202);
  };
}

/** `GET /v1/holds/:id?waitMs=`: a held call; waits up to `waitMs` for a person to decide. */
export function getHold({ ports, closing }: ApiDeps, slots: SubscriberSlots) {
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    const waitMs = waitMsOf(c, 0);
    if (waitMs === 0) return c.json(visibleHold(c, ports));
    const release = slots.take(principal.id);
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    const { outgoing } = c.env;
    const timer = setTimeout(leave, waitMs);
    outgoing.once('close', leave);
    try {
      // The answer that named it may have overtaken the commit that shows it.
      if (ports.holds.get(principal.tenant, idOf(c)) === undefined) {
        await ports.holds.decided(principal.tenant, idOf(c), AbortSignal.timeout(Math.min(waitMs, COMMIT_MS)));
      }
      const hold = visibleHold(c, ports);
      const decided = await ports.holds.decided(hold.tenant, hold.id, AbortSignal.any([gone.signal, closing]));
      return c.json(decided ?? hold);
    } finally {
      clearTimeout(timer);
      outgoing.off('close', leave);
      release();
    }
  };
}

/** Longest time from an answer to a check to its commit that is waited for, ms. */
const COMMIT_MS = 2_000;
/** Most of each kind that are looked through; more never wait at once. */
const MAX_LISTED = 10_000;

export const approvalsSchema = z.object({
  approvals: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(['call', 'command']),
      agentId: z.string(),
      sessionId: z.string().exactOptional(),
      what: z.string(),
      summary: z.string(),
      reason: z.string(),
      incidentId: z.string().exactOptional(),
      since: z.number(),
      expiresAt: z.number(),
      onTimeout: z.string(),
      state: z.string(),
      decidedBy: z.string().exactOptional(),
      decisionReason: z.string().exactOptional(),
    }),
  ),
});

export const holdSchema = z.object({
  id: z.string(),
  agentId: z.string(),
  sessionId: z.string(),
  callId: z.string(),
  tool: z.string(),
  state: z.enum(HOLD_STATES),
  reason: z.string(),
  expiresAt: z.number(),
  decidedBy: z.string().exactOptional(),
  decisionReason: z.string().exactOptional(),
});

function idOf(c: ApiContext): string {
  return (c.req.param('id') ?? '').slice(0, MAX_NAME_CHARS);
}

/** The held call that the path names. One that the key may not see is answered like one that does not exist. */
function visibleHold(c: ApiContext, ports: ApiPorts): Hold {
  const { principal } = c.var;
  const hold = ports.holds.get(principal.tenant, idOf(c));
  if (hold === undefined || !mayActFor(principal, hold.agentId)) {
    throw new ApiError(404, 'not-found', 'there is no such held call', { fix: 'list them with GET /v1/approvals' });
  }
  return hold;
}

function checkWaiting({ state, expiresAt }: Hold, now: number): void {
  const fix = 'see GET /v1/approvals?state=all for how it stands';
  if (state !== 'waiting') throw new ApiError(409, 'conflict', `the call is ${state} already`, { fix });
  if (expiresAt <= now) throw new ApiError(409, 'conflict', 'the time to decide is over', { fix });
}

/** Neither whose call it is, nor the gateway that asked, nor whose observations are the evidence. */
function checkUninvolved(hold: Hold, { id, tenant }: Principal, ports: ApiPorts): void {
  const incident = hold.incidentId === undefined ? undefined : ports.incidents.get(tenant, hold.incidentId);
  if (mayDecideHold(hold, id) && incident?.emitters.includes(id) !== true) return;
  throw new ApiError(403, 'involved', 'this key has a part in what it would decide about', {
    fix: 'let somebody else decide',
  });
}

function callApproval(hold: Hold): Approval {
  const { id, agentId, sessionId, tool, summary, reason, heldAt, expiresAt, onTimeout, state } = hold;
  const base = { id, kind: 'call' as const, agentId, sessionId, what: tool, summary, reason, since: heldAt };
  return withDecision({ ...base, expiresAt, onTimeout, state }, hold);
}

/** Policy asked a person about it, whatever has become of it. */
function wasProposed({ dryRun, state, decidedBy }: Command): boolean {
  return !dryRun && (state === 'proposed' || decidedBy !== undefined);
}

function commandApproval(command: Command): Approval {
  const { id, agentId, sessionId, tool, action, posture, reason, issuedAt, expiresAt, state } = command;
  const subject = action === 'freeze-tool' ? tool : action === 'revoke-session' ? sessionId : posture;
  const approval: Approval = {
    id,
    kind: 'command',
    agentId,
    what: action,
    summary: [agentId, subject ?? ''].filter(Boolean).join(', '),
    reason,
    since: issuedAt,
    expiresAt,
    onTimeout: command.onTimeout ?? 'expire',
    state: state === 'proposed' ? 'waiting' : state,
  };
  if (sessionId !== undefined) approval.sessionId = sessionId;
  return withDecision(approval, command);
}

type Decided = Pick<Hold, 'incidentId' | 'decidedBy' | 'decisionReason'>;

function withDecision(approval: Approval, { incidentId, decidedBy, decisionReason }: Decided): Approval {
  if (incidentId !== undefined) approval.incidentId = incidentId;
  if (decidedBy !== undefined) approval.decidedBy = decidedBy;
  if (decisionReason !== undefined) approval.decisionReason = decisionReason;
  return approval;
}

import { z } from 'zod';
import { stableId } from '../../lib/hash.js';
import { isOver, LOWERED_POSTURES, mayDecide, type Command } from '../../model/command.js';
import type { OperatorOrder } from '../../model/log-record.js';
import { mayActFor, type Principal } from '../../model/principal.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps, ApiPorts } from '../context.js';
import { ApiError } from '../errors.js';
import { readJson } from '../read-body.js';
import { SMALL_BODY_BYTES, visibleCommand } from './commands.js';

/** Longest containment that can be ordered, ms: whatever shall last longer belongs into the agent's entitlements. */
const MAX_DURATION_MS = 30 * 24 * 60 * 60_000;

const name = z.string().min(1).max(MAX_NAME_CHARS);
const reason = z.string().min(1).max(1024);
const subject = {
  agentId: name,
  reason,
  /** How long it lasts, ms; the configured time when left out. */
  durationMs: z.number().int().min(1_000).max(MAX_DURATION_MS).exactOptional(),
  /** Must be the key's own; guards against a key of another install or team. */
  tenant: name.exactOptional(),
  /** Allows an agent that was never seen; without it a slip of the pen would be confirmed and contain nobody. */
  unseen: z.boolean().exactOptional(),
};

export const containSchema = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('downgrade-posture'), posture: z.enum(LOWERED_POSTURES), ...subject }),
  z.strictObject({ action: z.literal('freeze-tool'), tool: name, ...subject }),
  z.strictObject({ action: z.literal('revoke-session'), sessionId: name, ...subject }),
  z.strictObject({ action: z.literal('suspend-agent'), ...subject }),
]);
export const liftSchema = z.strictObject({
  reason,
  /** Also closes the incident behind the command as a false positive, which lifts all its commands. */
  falsePositive: z.boolean().exactOptional(),
});
export const decisionSchema = z.strictObject({ reason });

/** `POST /v1/contain`: a person contains an agent by hand. */
export function postContain({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const { principal } = c.var;
    const body = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, containSchema);
    const { tenant = principal.tenant, unseen = false, ...rest } = body;
    checkSubject({ tenant, unseen, agentId: body.agentId }, principal, ports);
    const order: OperatorOrder = { time: ports.clock.now(), tenant, order: 'contain', by: principal.id, ...rest };
    const { time, action, agentId, sessionId = '', tool = '', posture = '' } = order;
    order.commandId = stableId('cmd', tenant, action ?? '', agentId ?? '', sessionId, tool, posture, time);
    await ports.journal.order(order);
    return c.json({ recorded: true, commandId: order.commandId }, 202);
  };
}

/** `POST /v1/commands/:id/lift`: a person takes a containment (or a proposal) back. */
export function postLift(deps: ApiDeps) {
  const { ports, budget } = deps;
  return async (c: ApiContext): Promise<Response> => {
    const command = visibleCommand(c, deps);
    const body = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, liftSchema);
    if (isOver(command)) throw conflict(`the command is ${command.state} already`);
    const { tenant, id: commandId, incidentId } = command;
    const said = { time: ports.clock.now(), tenant, by: c.var.principal.id };
    if (body.falsePositive === true) {
      if (incidentId === undefined || ports.incidents.get(tenant, incidentId)?.status === 'closed') {
        throw conflict('there is no open incident behind this command to close', 'leave falsePositive out');
      }
      await ports.journal.order({ ...said, order: 'lift', commandId, reason: body.reason });
      await ports.journal.verdict({ ...said, incidentId, verdict: 'false-positive', note: body.reason });
    } else await ports.journal.order({ ...said, order: 'lift', commandId, reason: body.reason });
    return c.json({ recorded: true }, 202);
  };
}

/** `POST /v1/commands/:id/approve` and `.../reject`: a person decides about what the policy only proposed. */
export function postDecision(deps: ApiDeps, decision: 'approve' | 'reject') {
  const { ports, budget } = deps;
  return async (c: ApiContext): Promise<Response> => {
    const command = visibleCommand(c, deps);
    const { principal } = c.var;
    const body = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, decisionSchema);
    checkProposal(command, ports.clock.now());
    checkUninvolved(command, principal, ports);
    await ports.journal.order({
      time: ports.clock.now(),
      tenant: command.tenant,
      order: decision,
      commandId: command.id,
      by: principal.id,
      reason: body.reason,
    });
    return c.json({ recorded: true }, 202);
  };
}

function checkSubject(
  { tenant, agentId, unseen }: { tenant: string; agentId: string; unseen: boolean },
  principal: Principal,
  ports: ApiPorts,
): void {
  if (tenant !== principal.tenant) {
    throw new ApiError(403, 'forbidden', 'this key belongs to another tenant', {
      field: 'tenant',
      fix: 'use a key of that tenant',
    });
  }
  if (!mayActFor(principal, agentId)) {
    throw new ApiError(403, 'forbidden', 'this key is not bound to this agent', {
      field: 'agentId',
      fix: 'use a responder key that is bound to it',
    });
  }
  if (!unseen && !ports.agents.knows(tenant, agentId)) {
    throw new ApiError(404, 'unknown-agent', 'no agent of this name was ever seen', {
      field: 'agentId',
      fix: 'check the name; to contain an agent before it acts, say "unseen": true',
    });
  }
}

function checkProposal(command: Command, now: number): void {
  if (command.state !== 'proposed') throw conflict(`the command is ${command.state} already`);
  if (command.expiresAt <= now) throw conflict('the proposal has expired');
  if (command.dryRun) {
    throw conflict(
      'this is what would have been done: the observer runs in observe-only',
      'order it by hand with POST /v1/contain, or set mode: act',
    );
  }
}

/** Neither who proposed it, nor whom it is about, nor whose observations are the evidence. */
function checkUninvolved(command: Command, { id }: Principal, ports: ApiPorts): void {
  const { tenant, incidentId } = command;
  const incident = incidentId === undefined ? undefined : ports.incidents.get(tenant, incidentId);
  if (mayDecide(command, id) && incident?.emitters.includes(id) !== true) return;
  throw new ApiError(403, 'involved', 'this key has a part in what it would decide about', {
    fix: 'let somebody else decide',
  });
}

/** What is asked for does not go with how things stand. */
export function conflict(message: string, fix = 'see GET /v1/commands for how it stands'): ApiError {
  return new ApiError(409, 'conflict', message, { fix });
}

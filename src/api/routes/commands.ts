import type { Command } from '../../model/command.js';
import { acknowledgementSchema, MAX_NAME_CHARS } from '../../model/wire.js';
import { maySeeCommand } from '../../model/visible-command.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { boardLimit, listLimit } from '../query.js';
import { readJson } from '../read-body.js';

/** Largest body of the routes for people. */
export const SMALL_BODY_BYTES = 64 * 1024;

/** `GET /v1/commands`. */
export function getCommands({ ports }: ApiDeps) {
  return (c: ApiContext): Response => {
    const { principal } = c.var;
    const limit = listLimit(c);
    const commands = ports.commands
      .list({ tenant: principal.tenant, limit: boardLimit(principal, limit) })
      .filter((command) => maySeeCommand(principal, command));
    return c.json({ commands: commands.slice(0, limit) });
  };
}

/** `GET /v1/commands/:id`. */
export function getCommand(deps: ApiDeps) {
  return (c: ApiContext): Response => c.json(visibleCommand(c, deps));
}

/** `POST /v1/commands/:id/ack`: a gateway says what it now enforces. */
export function postAcknowledgement(deps: ApiDeps) {
  const { ports, budget } = deps;
  return async (c: ApiContext): Promise<Response> => {
    const command = visibleCommand(c, deps);
    const body = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, acknowledgementSchema);
    await ports.journal.acknowledge({
      time: ports.clock.now(),
      tenant: command.tenant,
      commandId: command.id,
      gatewayId: c.var.principal.id,
      ...body,
    });
    return c.json({ recorded: true }, 202);
  };
}

/** The command that the path names. One that the key may not see is answered like one that does not exist. */
export function visibleCommand(c: ApiContext, { ports }: ApiDeps): Command {
  const { principal } = c.var;
  const command = ports.commands.get(principal.tenant, (c.req.param('id') ?? '').slice(0, MAX_NAME_CHARS));
  if (command === undefined || !maySeeCommand(principal, command)) {
    throw new ApiError(404, 'not-found', 'there is no such command', { fix: 'list them with GET /v1/commands' });
  }
  return command;
}

import { textOf } from '../genai/attribute-reader.js';
import { given, type Who } from '../genai/said.js';
import { whoOf } from '../genai/semantic-conventions.js';
import type { OtlpLog, OtlpRecord } from '../otlp/model.js';

/** Coding agents that emit OTLP of their own, and what their names begin with. */
const PRODUCTS = [
  { product: 'claude-code', prefix: 'claude_code.', service: /^claude-code$/ },
  {
    product: 'codex',
    prefix: 'codex.',
    service: /^codex[-_](?:cli|cli_rs|exec|tui|app[-_]server|mcp[-_]server|vscode)$/,
  },
  { product: 'gemini-cli', prefix: 'gemini_cli.', service: /^gemini-cli$/ },
] as const;
export type CodingAgent = (typeof PRODUCTS)[number]['product'];

/**
 * Name of a log event with its prefix. Claude Code has it whole in the body and bare in `event.name`; Codex has it in
 * `event.name`, and in the record's own name the place in its source code.
 */
export function codingEventOf({ attributes, body, eventName }: OtlpLog): string {
  const named = textOf(attributes, 'event.name') ?? eventName;
  const isWhole = typeof body === 'string' && body.length <= 128 && body.endsWith(`.${named}`);
  return isWhole && PRODUCTS.some(({ prefix }) => body.startsWith(prefix)) ? body : named;
}

/** Which coding agent sent a record: its name tells, or the name of its service; undefined where it was none. */
export function codingAgentOf(record: OtlpRecord): CodingAgent | undefined {
  const name = record.signal === 'logs' ? codingEventOf(record) : record.name;
  const service = textOf(record.resource, 'service.name') ?? '';
  return PRODUCTS.find((one) => name.startsWith(one.prefix) || one.service.test(service))?.product;
}

/**
 * Whose a coding agent's record is. It is an agent per machine, `claude-code@laptop-7`, because that is what can be
 * looked into and contained: the machine is `host.name` where the resource has it, otherwise the id that the product
 * makes for an installation (Claude Code `user.id`, Gemini CLI `installation.id`), otherwise the account, and at
 * the very least the product. Names and e-mail addresses of people are not used. The resource may name the agent itself. What emitters call an agent
 * (`agent.name`) is a kind of sub-agent and not it.
 */
export function machineOf({ attributes, resource }: OtlpRecord, product: CodingAgent): Who {
  const machine =
    textOf(resource, 'host.name', 'host.id') ??
    textOf(attributes, 'user.id', 'installation.id', 'user.account_uuid', 'user.account_id') ??
    textOf(resource, 'user.id', 'installation.id', 'user.account_uuid', 'user.account_id');
  const agentId = whoOf(resource).agentId ?? (machine === undefined ? product : `${product}@${machine}`);
  return { agentId, ...given('sessionId', textOf(attributes, 'session.id', 'conversation.id')) };
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError, loadConfig, type Config } from '../config.js';
import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import { COMMAND_ACTIONS, COMMAND_STATES, LOWERED_POSTURES } from '../model/command.js';
import { JWKS_PATH } from '../model/signed-message.js';
import type { ErasedTable } from '../model/erasure.js';
import { FLEET_LIFT_STATES } from '../model/fleet-lift.js';
import { discoverySchema, type SeenDiscovery } from './discovery-answer.js';
import {
  baselineDiffSchema,
  baselineSchema,
  rebuildSchema,
  type SeenBaseline,
  type SeenBaselineDiff,
  type SeenRebuild,
} from './baselines-answer.js';
import { sourcesSchema, type SeenSources } from './sources-answer.js';
import { responseSchema, type SeenResponse } from './policy-answer.js';
import { textOf, type CliCommand, type CommandContext } from './command.js';

const DEFAULT_URL = 'http://127.0.0.1:7700';
const REQUEST_MS = 10_000;
/** Commands asked for at once; the most that the observer lists. */
const LIST_LIMIT = 1_000;

/** Options of every command that speaks to a running observer. */
export const OBSERVER_OPTIONS = {
  url: { type: 'string' },
  'key-file': { type: 'string' },
  config: { type: 'string' },
} satisfies CliCommand['options'];

export const OBSERVER_HELP: CliCommand['help'] = {
  url: `where the observer listens; PARALLAX_URL, or ${DEFAULT_URL}`,
  'key-file': 'file with the key to use; PARALLAX_KEY, or the key of this install otherwise',
  config: 'configuration of the install whose key is used',
};

/** The observer cannot be asked, or refuses; the message says what to do. */
export class ObserverError extends Error {
  override name = 'ObserverError';

  /** @param status HTTP status of the refusal; undefined where there was no answer */
  constructor(
    message: string,
    readonly status?: number,
    readonly code?: string,
  ) {
    super(message);
  }
}

const erasedTableSchema = z.object({ table: z.string(), deleted: z.number(), blanked: z.number() });
const erasureStatusSchema = z.object({
  state: z.enum(['running', 'done', 'failed']),
  tables: z.array(erasedTableSchema),
  cause: z.string().exactOptional(),
});

const commandSchema = z.object({
  id: z.string(),
  action: z.enum(COMMAND_ACTIONS),
  agentId: z.string(),
  sessionId: z.string().exactOptional(),
  tool: z.string().exactOptional(),
  posture: z.enum(LOWERED_POSTURES).exactOptional(),
  reason: z.string(),
  issuedAt: z.number(),
  expiresAt: z.number(),
  dryRun: z.boolean(),
  state: z.enum(COMMAND_STATES),
  acknowledgements: z.array(
    z.object({ gatewayId: z.string(), effective: z.enum(['enforced', 'lifted', 'rejected']), time: z.number() }),
  ),
  issuedBy: z.string(),
  awaits: z.array(z.string()).exactOptional(),
  bypassedBy: z.array(z.string()).exactOptional(),
  decidedBy: z.string().exactOptional(),
});
/** A command, as far as people are shown it. */
export type SeenCommand = z.infer<typeof commandSchema>;

const liftSchema = z.object({
  id: z.string(),
  agentClass: z.string().exactOptional(),
  incidentIds: z.array(z.string()).exactOptional(),
  state: z.enum(FLEET_LIFT_STATES),
  commands: z.number(),
  agents: z.number(),
  proposedBy: z.string(),
  reason: z.string(),
  expiresAt: z.number(),
  decidedBy: z.string().exactOptional(),
});
/** A lift that concerns many agents, as far as people are shown it. */
export type SeenLift = z.infer<typeof liftSchema>;

const approvalSchema = z.object({
  id: z.string(),
  kind: z.enum(['call', 'command']),
  agentId: z.string(),
  sessionId: z.string().exactOptional(),
  what: z.string(),
  summary: z.string(),
  reason: z.string(),
  expiresAt: z.number(),
  onTimeout: z.string(),
  state: z.string(),
  decidedBy: z.string().exactOptional(),
  decisionReason: z.string().exactOptional(),
});
/** Something that waits for a person, as far as people are shown it. */
export type SeenApproval = z.infer<typeof approvalSchema>;

const refusalSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), fix: z.string().exactOptional() }),
});

/** Speaks to a running observer for a person at the command line. */
export class Observer {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url.replace(/\/$/, '');
    this.#key = key;
  }

  /** @returns the command's id */
  async contain(order: Record<string, unknown>): Promise<string> {
    const answer = await this.#ask('/v1/contain', order);
    return z.object({ commandId: z.string() }).parse(answer).commandId;
  }

  async decide(commandId: string, what: 'lift' | 'approve' | 'reject', body: Record<string, unknown>): Promise<void> {
    await this.#ask(`/v1/commands/${encodeURIComponent(commandId)}/${what}`, body);
  }

  /** A person lets a held call pass once, or refuses it. */
  async decideCall(holdId: string, decision: 'approve' | 'reject', reason: string): Promise<void> {
    await this.#ask(`/v1/approvals/${encodeURIComponent(holdId)}/${decision}`, { reason });
  }

  /** What waits for a person, oldest first. @param all also what was decided */
  async approvals(all: boolean): Promise<SeenApproval[]> {
    const answer = await this.#ask(`/v1/approvals?limit=${LIST_LIMIT}${all ? '&state=all' : ''}`);
    return z.object({ approvals: z.array(approvalSchema) }).parse(answer).approvals;
  }

  /** Undefined while the observer has not scored the order yet, or when there is no such command. */
  async command(id: string): Promise<SeenCommand | undefined> {
    try {
      return commandSchema.parse(await this.#ask(`/v1/commands/${encodeURIComponent(id)}`));
    } catch (error) {
      if (error instanceof ObserverError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Newest change first. */
  async commands(): Promise<SeenCommand[]> {
    const answer = await this.#ask(`/v1/commands?limit=${LIST_LIMIT}`);
    return z.object({ commands: z.array(commandSchema) }).parse(answer).commands;
  }

  /** @returns the lift's id */
  async proposeLift(wish: Record<string, unknown>): Promise<string> {
    return z.object({ liftId: z.string() }).parse(await this.#ask('/v1/lifts', wish)).liftId;
  }

  async decideLift(id: string, what: 'confirm' | 'reject', body: Record<string, unknown>): Promise<void> {
    await this.#ask(`/v1/lifts/${encodeURIComponent(id)}/${what}`, body);
  }

  /** Newest change first. */
  async lifts(): Promise<SeenLift[]> {
    const answer = await this.#ask(`/v1/lifts?limit=${LIST_LIMIT}`);
    return z.object({ lifts: z.array(liftSchema) }).parse(answer).lifts;
  }

  /** What policy would do about an incident. */
  async response(incidentId: string): Promise<SeenResponse> {
    return responseSchema.parse(await this.#ask(`/v1/incidents/${encodeURIComponent(incidentId)}/response`));
  }

  /** Declared against observed. @param limit most entries of each list */
  async discovery({ agent, limit }: { agent: string | undefined; limit: string }): Promise<SeenDiscovery> {
    const query = new URLSearchParams({ limit, ...(agent === undefined ? {} : { agent }) });
    return discoverySchema.parse(await this.#ask(`/v1/discovery?${query.toString()}`));
  }

  /** What arrived from whom. */
  async sources(): Promise<SeenSources> {
    return sourcesSchema.parse(await this.#ask('/v1/sources'));
  }

  /** A published version of what is normal for an agent; the newest without a number. */
  async baseline(agentId: string, version?: number): Promise<SeenBaseline> {
    const query = version === undefined ? '' : `?version=${version}`;
    return baselineSchema.parse(await this.#ask(`/v1/baselines/${encodeURIComponent(agentId)}${query}`));
  }

  async baselineDiff(agentId: string, { from, to }: { from: number; to: number }): Promise<SeenBaselineDiff> {
    const path = `/v1/baselines/${encodeURIComponent(agentId)}/diff?from=${from}&to=${to}`;
    return baselineDiffSchema.parse(await this.#ask(path));
  }

  /** Public keys that messages to gateways can be verified with, in the order in which they sign. */
  async signingKeys(): Promise<{ kid: string; alg: string }[]> {
    const answer = await this.#ask(JWKS_PATH);
    return z.object({ keys: z.array(z.object({ kid: z.string(), alg: z.string() })) }).parse(answer).keys;
  }

  /** @param leadMs time for which the new key is published before it signs */
  async rotateKeys(leadMs: number): Promise<{ kid: string; activeFrom: number }> {
    const answer = await this.#ask('/v1/keys/rotate', { leadMs });
    return z.object({ kid: z.string(), activeFrom: z.number() }).parse(answer);
  }

  async rollBack(agentId: string, body: { version: number; reason: string }): Promise<void> {
    await this.#ask(`/v1/baselines/${encodeURIComponent(agentId)}/rollback`, body);
  }

  /** Takes an agent back to a version that ClickHouse has. */
  async restoreBaseline(agentId: string, body: { version: number; stateId?: string; reason: string }): Promise<void> {
    await this.#ask(`/v1/baselines/${encodeURIComponent(agentId)}/restore`, body);
  }

  /** Begins to make a baseline anew. Times in epoch ms. */
  async rebuildBaseline(agentId: string, body: { since?: number; until?: number; reason: string }): Promise<void> {
    await this.#ask(`/v1/baselines/${encodeURIComponent(agentId)}/rebuild`, body);
  }

  async rebuild(agentId: string): Promise<SeenRebuild> {
    return rebuildSchema.parse(await this.#ask(`/v1/baselines/${encodeURIComponent(agentId)}/rebuild`));
  }

  /** Rows that an erasure would concern. */
  async countErasure(wish: Record<string, string>): Promise<ErasedTable[]> {
    const answer = await this.#ask('/v1/erasures', { ...wish, dryRun: true });
    return z.object({ tables: z.array(erasedTableSchema) }).parse(answer).tables;
  }

  /** @returns the erasure's id */
  async erase(wish: Record<string, string>): Promise<string> {
    return z.object({ erasureId: z.string() }).parse(await this.#ask('/v1/erasures', wish)).erasureId;
  }

  async erasure(id: string): Promise<z.infer<typeof erasureStatusSchema>> {
    return erasureStatusSchema.parse(await this.#ask(`/v1/erasures/${encodeURIComponent(id)}`));
  }

  /** @throws ObserverError that says what to do */
  async #ask(path: string, body?: Record<string, unknown>): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' };
    const init: RequestInit = { headers, redirect: 'error', signal: AbortSignal.timeout(REQUEST_MS) };
    if (body !== undefined) Object.assign(init, { method: 'POST', body: JSON.stringify(body) });
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#url + path, init);
      text = await response.text();
    } catch (error) {
      throw new ObserverError(
        `no observer answers at ${this.#url} (${causeOf(error)}); start one with "parallax serve", or give its address with --url`,
      );
    }
    if (response.ok) return parseJson(text);
    const refusal = refusalSchema.safeParse(parseJson(text));
    if (!refusal.success) {
      throw new ObserverError(`what answers at ${this.#url} (status ${response.status}) is no observer; check --url`);
    }
    const { code, message, fix } = refusal.data.error;
    throw new ObserverError(explain(response.status, { code, message, fix }), response.status, code);
  }
}

/** The observer that the options and the environment name. @throws ConfigError when there is no key to use */
export function observerOf(context: CommandContext): Observer {
  const { url, key } = addressOf(context);
  return new Observer(url, key);
}

/** Its address and the key to use. @throws ConfigError when there is no key to use */
export function addressOf(context: CommandContext): { url: string; key: string } {
  const url = textOf(context, 'url') ?? context.env['PARALLAX_URL'] ?? DEFAULT_URL;
  if (!URL.canParse(url)) throw new ConfigError(`--url ${url}: is no address; for example ${DEFAULT_URL}`);
  return { url, key: keyOf(context) };
}

function keyOf(context: CommandContext): string {
  const file = textOf(context, 'key-file');
  if (file !== undefined) return readKey(file, '--key-file');
  const given = context.env['PARALLAX_KEY'];
  if (given !== undefined && given !== '') return given;
  const config = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
  const own = installKeyFile(config);
  if (!existsSync(own)) {
    throw new ConfigError(
      `there is no key to use: ${own} does not exist; give --key-file FILE or PARALLAX_KEY with a key of role responder or admin, or --config for another install`,
    );
  }
  return readKey(own, 'the key of this install');
}

/** A configured key that may contain, or the one that an install without keys made for itself. */
function installKeyFile(config: Config): string {
  for (const role of ['responder', 'admin'] as const) {
    const file = config.keys.find((key) => key.role === role && key.secretFile !== undefined)?.secretFile;
    if (file !== undefined) return file;
  }
  return join(config.dataDir, 'keys', 'admin.key');
}

function readKey(file: string, what: string): string {
  let key: string;
  try {
    key = readFileSync(file, 'utf8').trim();
  } catch {
    throw new ConfigError(`${what} ${file}: cannot be read; check the path and its permissions`);
  }
  if (key === '') throw new ConfigError(`${what} ${file}: is empty; it must hold the key`);
  return key;
}

function explain(status: number, { code, message, fix }: { code: string; message: string; fix?: string | undefined }) {
  if (status === 401) {
    return 'the observer does not know this key; give one of role responder or admin with --key-file or PARALLAX_KEY';
  }
  if (code === 'unknown-agent') {
    return `${message}; check the name, or contain it before it acts with --unseen`;
  }
  if (code === 'not-found' && message.includes('held call')) return `${message}; "parallax approvals --all" lists them`;
  if (code === 'not-found') return `${message}; "parallax containments --all" lists them`;
  return inertText(fix === undefined ? message : `${message}; ${fix}`, MAX_LINE_CHARS);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error.name === 'TimeoutError' ? 'no answer in time' : error.message;
}

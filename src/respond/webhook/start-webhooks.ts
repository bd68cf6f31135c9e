import { readFileSync } from 'node:fs';
import { ConfigError, type WebhookConfig } from '../../config.js';
import type { Clock } from '../../lib/clock.js';
import type { GatewayMessage } from '../../model/gateway-message.js';
import { AddressRules } from './address-rules.js';
import { GuardedPost } from './guarded-post.js';
import { Webhook, type WebhookOptions, type WebhookStatus } from './webhook.js';
import { readWebhookKey, readWebhookSecrets, type WebhookKeys } from './webhook-signature.js';

/** First and longest pause while a gateway does not take what it is sent, ms. */
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 30_000;

export interface WebhookParts {
  configs: readonly WebhookConfig[];
  env: NodeJS.ProcessEnv;
  source: string;
  commands: WebhookOptions['commands'];
  store: { cursor(name: string): number; setCursor(name: string, value: number): Promise<void> };
  /** Place in the outbox at which this run began; whoever was told something before it gets the full state first. */
  startedAt: number;
  /** @returns a compact JWS for one gateway */
  sign: (message: GatewayMessage, gatewayId: string) => Promise<string>;
  acknowledge: WebhookOptions['acknowledge'];
  clock: Clock;
  random: () => number;
  onNotice: WebhookOptions['onNotice'];
}

export interface Webhooks {
  status: () => Record<string, WebhookStatus>;
  stop: () => Promise<void>;
}

/** Starts delivering to every configured webhook, each on its own. @throws ConfigError where a secret cannot be read */
export function startWebhooks(parts: WebhookParts): Webhooks {
  const { configs, store, sign, startedAt, random } = parts;
  // All secrets before anything starts: a mistake in the last one must not leave the others running.
  const opened = configs.map((config, i) => {
    const where = `deliver.webhooks.${i} ("${config.id}")`;
    const keys = keysOf(config, where, parts.env);
    const ca = config.caFile === undefined ? undefined : read(config.caFile, `${where}: caFile`);
    const rules = new AddressRules(config.allowAddresses);
    const target = new GuardedPost({ url: config.url, rules, timeoutMs: config.timeoutMs, ca });
    const gatewayId = config.gatewayId ?? config.id;
    const cursor = `webhook-${config.id}`;
    const webhook = new Webhook({
      ...parts,
      id: config.id,
      gatewayId,
      rights: { role: 'gateway', tenant: config.tenant, agents: config.agents },
      keys,
      place: {
        read: () => (store.cursor(cursor) > startedAt ? store.cursor(cursor) : 0),
        write: (sequence) => store.setCursor(cursor, sequence),
      },
      seal: async (message) => ({ contentType: 'application/jose', data: await sign(message, gatewayId) }),
      post: (headers, body, signal) => target.post(headers, body, signal),
      backoff: { baseMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS, random },
      refreshMs: config.refreshMs,
      staleMs: config.staleMs,
    });
    return { id: config.id, webhook, target };
  });
  for (const { webhook } of opened) webhook.start();
  return {
    status: () => Object.fromEntries(opened.map(({ id, webhook }) => [id, webhook.status()])),
    stop: async () => {
      await Promise.all(opened.map(({ webhook }) => webhook.stop()));
      for (const { target } of opened) target.close();
    },
  };
}

function keysOf({ secretEnv, secretFile, keyFile }: WebhookConfig, where: string, env: NodeJS.ProcessEnv): WebhookKeys {
  const setting = secretFile === undefined ? `secretEnv ${secretEnv ?? ''}` : `secretFile ${secretFile}`;
  const text = secretFile === undefined ? env[secretEnv ?? ''] : read(secretFile, `${where}: secretFile`);
  if (text === undefined) throw new ConfigError(`${where}: ${setting}: is not set; export it before starting`);
  return {
    secrets: parse(`${where}: ${setting}`, () => readWebhookSecrets(text)),
    privateKey:
      keyFile === undefined
        ? undefined
        : parse(`${where}: keyFile ${keyFile}`, () => readWebhookKey(read(keyFile, `${where}: keyFile`))),
  };
}

function parse<T>(where: string, parser: () => T): T {
  try {
    return parser();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function read(file: string, where: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new ConfigError(`${where} ${file}: cannot be read; check the path and its permissions`);
  }
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../../config.js';
import type { HttpServer, McpSettings, StdioServer } from './settings.js';

/** Shorter keys can be guessed. */
const MIN_KEY_CHARS = 16;
const MAX_KEY_CHARS = 512;

/** A client that may connect over HTTP, and the agent that its key stands for. */
export interface KnownClient {
  id: string;
  agentId: string;
}

/** The gateway's own key at the observer. @throws ConfigError naming setting and fix */
export function observerKey({ keyEnv, keyFile }: McpSettings['observer'], env: NodeJS.ProcessEnv): string {
  return readKey({ keyEnv, keyFile }, 'observer', env);
}

/** What a server gets of this process's environment: the named variables, nothing else. @throws ConfigError */
export function serverEnvironment(name: string, server: StdioServer, env: NodeJS.ProcessEnv): Record<string, string> {
  return resolveAll(server.env, `servers.${name}.env`, env);
}

/** Headers for an HTTP server. @throws ConfigError */
export function serverHeaders(name: string, server: HttpServer, env: NodeJS.ProcessEnv): Record<string, string> {
  return resolveAll(server.headers, `servers.${name}.headers`, env);
}

/** The clients of the HTTP side. Only digests are held; comparing takes the same time whoever asks. */
export class ClientKeys {
  readonly #keys: readonly { digest: Buffer; client: KnownClient }[];

  /** @throws ConfigError naming setting and fix */
  constructor(clients: McpSettings['clients'], env: NodeJS.ProcessEnv) {
    const seen = new Map<string, string>();
    this.#keys = clients.map(({ id, agentId, keySha256, keyEnv, keyFile }, i) => {
      const where = `clients.${i} ("${id}")`;
      const digest =
        keySha256 === undefined ? sha256(readKey({ keyEnv, keyFile }, where, env)) : Buffer.from(keySha256, 'hex');
      const twin = seen.get(digest.toString('hex'));
      if (twin !== undefined) throw new ConfigError(`${where}: has the same key as "${twin}"; give each its own`);
      seen.set(digest.toString('hex'), id);
      return { digest, client: { id, agentId: agentId ?? id } };
    });
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Who an `Authorization` header proves to be. */
  holderOf(header: string | undefined): KnownClient | undefined {
    const match = /^bearer +(\S+) *$/i.exec((header ?? '').slice(0, MAX_KEY_CHARS + 16));
    if (match === null) return undefined;
    const digest = sha256(match[1] ?? '');
    let found: KnownClient | undefined;
    // All keys are compared, always.
    for (const key of this.#keys) if (timingSafeEqual(key.digest, digest)) found = key.client;
    return found;
  }
}

function readKey(
  { keyEnv, keyFile }: { keyEnv: string | undefined; keyFile: string | undefined },
  where: string,
  env: NodeJS.ProcessEnv,
): string {
  let key: string | undefined;
  let setting: string;
  if (keyFile === undefined) {
    setting = `keyEnv ${keyEnv ?? ''}`;
    key = env[keyEnv ?? '']?.trim();
    if (key === undefined) throw new ConfigError(`${where}: ${setting}: is not set; export it before starting`);
  } else {
    setting = `keyFile ${keyFile}`;
    try {
      key = readFileSync(keyFile, 'utf8').trim();
    } catch {
      throw new ConfigError(`${where}: ${setting}: cannot be read; check the path and its permissions`);
    }
  }
  if (key.length < MIN_KEY_CHARS || key.length > MAX_KEY_CHARS) {
    throw new ConfigError(
      `${where}: ${setting}: holds ${key.length} characters; use ${MIN_KEY_CHARS} to ${MAX_KEY_CHARS} random ones`,
    );
  }
  return key;
}

function resolveAll(
  names: Readonly<Record<string, string>>,
  where: string,
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(names).map(([name, variable]) => {
      const value = env[variable];
      if (value === undefined) {
        throw new ConfigError(`${where}.${name}: ${variable} is not set; export it before starting`);
      }
      return [name, value];
    }),
  );
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

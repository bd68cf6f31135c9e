import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError, type KeyConfig } from '../config.js';
import type { Principal } from '../model/principal.js';

/** Shorter secrets can be guessed. */
const MIN_SECRET_CHARS = 16;
/** Longer ones are not hashed: the caller is not one of ours. */
const MAX_SECRET_CHARS = 512;
const SCHEME = 'bearer ';

interface Key {
  digest: Buffer;
  principal: Principal;
}

/** The API keys of this install. Only digests are held; comparing takes the same time whichever key it is. */
export class KeyRing {
  readonly #keys: readonly Key[];

  constructor(keys: readonly Key[]) {
    this.#keys = keys;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Who an `Authorization` header proves to be. */
  authenticate(header: string | undefined): Principal | undefined {
    if (header === undefined || header.length > SCHEME.length + MAX_SECRET_CHARS) return undefined;
    if (header.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return undefined;
    return this.#find(header.slice(SCHEME.length).trim())?.principal;
  }

  /** Who a secret proves to be, with a mark of the secret by which `holderOf` notices that it was replaced. */
  prove(secret: string): { principal: Principal; mark: string } | undefined {
    const key = secret.length > MAX_SECRET_CHARS ? undefined : this.#find(secret.trim());
    return key === undefined ? undefined : { principal: key.principal, mark: markOf(key) };
  }

  /** The present rights of somebody who proved a key before; undefined once it is gone or has another secret. */
  holderOf(keyId: string, mark: string): Principal | undefined {
    const key = this.#keys.find(({ principal }) => principal.id === keyId);
    return key !== undefined && markOf(key) === mark ? key.principal : undefined;
  }

  #find(secret: string): Key | undefined {
    const digest = sha256(secret);
    let found: Key | undefined;
    // All keys are compared, always.
    for (const key of this.#keys) if (timingSafeEqual(key.digest, digest)) found = key;
    return found;
  }
}

/**
 * Reads the secrets of all configured keys.
 *
 * @param env usually `process.env`
 * @throws ConfigError naming the key, the setting and the fix
 */
export function loadKeys(configs: readonly KeyConfig[], env: NodeJS.ProcessEnv): KeyRing {
  const ids = new Set<string>();
  const digests = new Map<string, string>();
  const keys = configs.map((config, i) => {
    const where = `keys.${i} ("${config.id}")`;
    // The id begins the ids of all this key's observations, with a slash behind it.
    if (!isPlainId(config.id)) throw new ConfigError(`${where}: id: use letters, digits, ".", "_" and "-" only`);
    if (ids.has(config.id)) throw new ConfigError(`${where}: id: is used twice; give every key its own id`);
    ids.add(config.id);
    const writes = config.role === 'ingest' || config.role === 'gateway';
    if (writes && config.streams.length === 0) {
      throw new ConfigError(`${where}: streams: a key with role ${config.role} needs at least one stream to write`);
    }
    const digest = digestOf(config, where, env);
    const twin = digests.get(digest.toString('hex'));
    if (twin !== undefined) throw new ConfigError(`${where}: has the same secret as "${twin}"; give every key its own`);
    digests.set(digest.toString('hex'), config.id);
    return { digest, principal: principalOf(config) };
  });
  return new KeyRing(keys);
}

/** What a key may do, whoever holds it. */
export function principalOf(config: KeyConfig): Principal {
  return {
    id: config.id,
    role: config.role,
    tenant: config.tenant,
    streams: new Set(config.streams),
    agents: [...config.agents],
    ...(config.content === undefined ? {} : { content: config.content }),
  };
}

function digestOf(config: KeyConfig, where: string, env: NodeJS.ProcessEnv): Buffer {
  if (config.secretSha256 !== undefined) return Buffer.from(config.secretSha256, 'hex');
  let secret: string | undefined;
  let setting: string;
  if (config.secretFile !== undefined) {
    setting = `secretFile ${config.secretFile}`;
    try {
      secret = readFileSync(config.secretFile, 'utf8').trim();
    } catch {
      throw new ConfigError(`${where}: ${setting}: cannot be read; check the path and its permissions`);
    }
  } else {
    setting = `secretEnv ${config.secretEnv ?? ''}`;
    secret = env[config.secretEnv ?? ''];
    if (secret === undefined) throw new ConfigError(`${where}: ${setting}: is not set; export it before starting`);
  }
  if (secret.length < MIN_SECRET_CHARS || secret.length > MAX_SECRET_CHARS) {
    throw new ConfigError(
      `${where}: ${setting}: holds ${secret.length} characters; use ${MIN_SECRET_CHARS} to ${MAX_SECRET_CHARS} random ones`,
    );
  }
  return sha256(secret);
}

/** Tells secrets apart without being one. */
function markOf({ digest }: Key): string {
  return createHash('sha256').update(digest).digest('hex').slice(0, 32);
}

function isPlainId(id: string): boolean {
  return /^[A-Za-z0-9._-]+$/.test(id);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

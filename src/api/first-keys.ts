import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config, KeyConfig } from '../config.js';

/** Keys of an install that names none: one for every kind of speaker. */
const FIRST_KEYS: Omit<KeyConfig, 'secretFile'>[] = [
  { id: 'admin', role: 'admin', tenant: 'default', streams: [], agents: ['*'] },
  { id: 'gateway', role: 'gateway', tenant: 'default', streams: ['action'], agents: ['*'] },
  { id: 'agent-runtime', role: 'ingest', tenant: 'default', streams: ['reasoning'], agents: ['*'] },
  { id: 'governance', role: 'ingest', tenant: 'default', streams: ['governance'], agents: ['*'] },
  { id: 'platform', role: 'ingest', tenant: 'default', streams: ['metric'], agents: ['*'] },
];

/**
 * The configured keys; where none is configured, keys of this install's own in `<dataDir>/keys/`, made at the first
 * start, readable by the owner only. So a new install is neither open nor unusable.
 *
 * @param tell told where the keys are, never what they are
 */
export function prepareKeys(config: Config, tell: (message: string) => void): KeyConfig[] {
  if (config.keys.length > 0) return config.keys;
  const folder = join(config.dataDir, 'keys');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const keys = FIRST_KEYS.map((key): KeyConfig => {
    const secretFile = join(folder, `${key.id}.key`);
    if (!existsSync(secretFile)) {
      writeFileSync(secretFile, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    }
    return { ...key, secretFile };
  });
  tell(`no keys are configured: using this install's own, ${folder}/{${keys.map((k) => k.id).join(',')}}.key`);
  return keys;
}

/** Roles of people who look at the page, strongest first. */
const PEOPLE = ['admin', 'responder', 'analyst', 'viewer'] as const;

/**
 * Where a key to sign in with lies, for the sign-in form. Paths are told only where none but this machine can ask.
 */
export function keyHint(config: Config): string {
  const file = signInKeyFile(config);
  const isLocal = ['127.0.0.1', '::1', 'localhost'].includes(config.http.host);
  if (file !== undefined && isLocal) return `A key lies in ${file} on the machine of the observer.`;
  return 'Whoever runs this observer gives out the keys.';
}

/** The file of the key that may do most on the page, where it lies in a file. */
export function signInKeyFile(config: Config): string | undefined {
  if (config.keys.length === 0) return resolve(config.dataDir, 'keys', 'admin.key');
  for (const role of PEOPLE) {
    const key = config.keys.find((one) => one.role === role && one.secretFile !== undefined);
    if (key?.secretFile !== undefined) return resolve(key.secretFile);
  }
  return undefined;
}

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SPEAKERS, type Speaker } from './recorded-session.js';

/** Keys of a set of services started here: every speaker's, an administrator's, and the agents' at the gateway. */
export type KeyName = Speaker | 'admin' | 'caller';

/** Makes a key for everyone and writes each to its own file (0600). */
export async function writeKeys(dir: string): Promise<Record<KeyName, string>> {
  const keys: Record<KeyName, string> = {
    'agent-runtime': newKey(),
    gateway: newKey(),
    governance: newKey(),
    platform: newKey(),
    admin: newKey(),
    caller: newKey(),
  };
  for (const [name, key] of Object.entries(keys)) await writeSecret(keyFile(dir, name), key);
  return keys;
}

/**
 * Writes the configuration of an observer whose data and keys lie in `dir` and which listens on a free port.
 *
 * @param settings over the generated ones, each group merged with what is generated for it
 * @returns the file
 */
export async function writeObserverConfig(
  dir: string,
  ...settings: readonly Readonly<Record<string, unknown>>[]
): Promise<string> {
  const speakers = Object.entries(SPEAKERS).map(([id, { role, stream }]) => ({
    id,
    role,
    streams: [stream],
    secretFile: keyFile(dir, id),
  }));
  const generated: Record<string, unknown> = {
    dataDir: join(dir, 'data'),
    http: { host: '127.0.0.1', port: 0 },
    keys: [...speakers, { id: 'admin', role: 'admin', secretFile: keyFile(dir, 'admin') }],
  };
  for (const [group, value] of settings.flatMap((groups) => Object.entries(groups))) {
    const held = generated[group];
    generated[group] = isPlain(held) && isPlain(value) ? { ...held, ...value } : value;
  }
  const file = join(dir, 'parallax.yaml');
  // JSON is YAML.
  await writeSecret(file, JSON.stringify(generated, undefined, 2));
  return file;
}

export function keyFile(dir: string, name: string): string {
  return join(dir, `${name}.key`);
}

/** Writes a new file that only its owner may read. */
export async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
}

/** Settings of the caller's own installation must not leak into services started here. */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('PARALLAX_')));
}

function newKey(): string {
  return randomBytes(32).toString('base64url');
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

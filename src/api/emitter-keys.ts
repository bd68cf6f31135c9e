import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type KeyConfig } from '../config.js';
import { replaceFile } from '../lib/replace-file.js';
import type { EmitterKeys, SignedBatches } from './signed-batches.js';

const SEQUENCES_FILE = 'emitter-sequences.json';

/** Public keys that emitters sign with. @throws ConfigError naming the key, the setting and the fix */
export function loadEmitterKeys(configs: readonly KeyConfig[]): Map<string, EmitterKeys> {
  const all = new Map<string, EmitterKeys>();
  for (const [i, { id, signatures }] of configs.entries()) {
    if (signatures === undefined) continue;
    const publicKeys = new Map<string, KeyObject>();
    for (const [j, key] of signatures.publicKeys.entries()) {
      const where = `keys.${i} ("${id}"): signatures.publicKeys.${j}`;
      if (publicKeys.has(key.id)) throw new ConfigError(`${where}: id: is used twice; give every key its own id`);
      publicKeys.set(key.id, readPublicKey(key.file, where));
    }
    all.set(id, { publicKeys, required: signatures.required });
  }
  return all;
}

/** Sequence numbers that were taken before the start. What cannot be read counts as nothing taken. */
export function readSequences(dataDir: string): Map<string, number> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(dataDir, SEQUENCES_FILE), 'utf8'));
  } catch {
    return new Map();
  }
  if (typeof value !== 'object' || value === null) return new Map();
  return new Map(
    Object.entries(value).flatMap(([id, last]: [string, unknown]): [string, number][] =>
      typeof last === 'number' && Number.isSafeInteger(last) ? [[id, last]] : [],
    ),
  );
}

/** Keeps sequence numbers for the next start; what was taken since the last call may be taken again after a crash. */
export function keepSequences(dataDir: string, batches: SignedBatches): void {
  const changed = batches.takeChanged();
  if (changed !== undefined) replaceFile(join(dataDir, SEQUENCES_FILE), JSON.stringify(changed));
}

function readPublicKey(file: string, where: string): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch {
    throw new ConfigError(`${where}: file ${file}: cannot be read; check the path and its permissions`);
  }
  let key: KeyObject | undefined;
  try {
    key = createPublicKey(pem);
  } catch {
    key = undefined;
  }
  if (key?.asymmetricKeyType !== 'ed25519' || pem.includes('PRIVATE')) {
    throw new ConfigError(
      `${where}: file ${file}: holds no Ed25519 public key; make one with "openssl pkey -in private.pem -pubout"`,
    );
  }
  return key;
}

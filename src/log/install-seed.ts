import { randomInt } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../config.js';

/** The secret that keys all hashes of this install; made once, kept with the data. @throws ConfigError when it is damaged */
export function installSeed(dataDir: string): number {
  const file = join(dataDir, 'install-seed');
  if (existsSync(file)) {
    const seed = Number(readFileSync(file, 'utf8').trim());
    if (Number.isInteger(seed) && seed > 0 && seed < 2 ** 32) return seed;
    throw new ConfigError(`${file}: is damaged; restore it, or move the data directory away to start anew`);
  }
  const seed = randomInt(1, 2 ** 32 - 1);
  writeFileSync(file, `${seed}\n`, { mode: 0o600, flag: 'wx', flush: true });
  return seed;
}

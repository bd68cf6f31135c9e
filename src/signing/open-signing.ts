import { join } from 'node:path';
import type { Config } from '../config.js';
import type { Clock } from '../lib/clock.js';
import { beginEpoch } from './epoch.js';
import { JwsSigner } from './jws-signer.js';
import { KeyRing } from './key-ring.js';
import type { Signing } from './port.js';

export interface SigningOptions extends Omit<Signing, 'signer' | 'keys'> {
  config: Pick<Config, 'dataDir' | 'signing'>;
  clock: Clock;
}

/**
 * Keys and epoch of this run, from `<dataDir>/keys/`. Open it only when the data directory is held: a second run on
 * the same directory must not begin an epoch.
 *
 * @throws SigningKeysError
 */
export async function openSigning({ config, clock, startedAt }: SigningOptions) {
  const { algorithm, issuer, lifetimeMs, overlapMs } = config.signing;
  const folder = join(config.dataDir, 'keys');
  const keys = await KeyRing.open({ file: join(folder, 'signing.json'), algorithm, overlapMs, clock });
  const epoch = beginEpoch(join(folder, 'signing-epoch'), clock.now());
  return { keys, signer: new JwsSigner({ keys, issuer, epoch, lifetimeMs, clock }), startedAt };
}

import { join } from 'node:path';
import type { Config } from '../config.js';
import type { Clock } from '../lib/clock.js';
import { beginEpoch, oneEpoch } from './epoch.js';
import { JwsSigner } from './jws-signer.js';
import { KeyRing } from './key-ring.js';
import type { Epochs } from './port.js';

export interface SigningOptions {
  config: Pick<Config, 'dataDir' | 'signing'>;
  clock: Clock;
  /** Place in the outbox at which this run began. */
  startedAt: number;
  /** Where others sign for the same install; one epoch for this run otherwise. */
  epochs?: Epochs;
}

/**
 * Keys and epoch of this run, from `<dataDir>/keys/`. Open it only when the data directory is held: a second run on
 * the same directory must not begin an epoch.
 *
 * @throws SigningKeysError
 */
export async function openSigning({ config, clock, startedAt, epochs }: SigningOptions) {
  const { algorithm, issuer, lifetimeMs, overlapMs } = config.signing;
  const folder = join(config.dataDir, 'keys');
  const keys = await KeyRing.open({ file: join(folder, 'signing.json'), algorithm, overlapMs, clock });
  const used = epochs ?? oneEpoch(beginEpoch(join(folder, 'signing-epoch'), clock.now()), startedAt);
  return { keys, signer: new JwsSigner({ keys, issuer, epochs: used, lifetimeMs, clock }), epochs: used };
}

import { join } from 'node:path';
import type { Config } from '../../src/config.js';
import { loadConfig } from '../../src/config.js';
import { openCore, type Core, type CoreOptions } from '../../src/core.js';
import { ManualClock, systemClock } from '../../src/lib/clock.js';
import type { Principal } from '../../src/model/principal.js';
import type { IntakeReport, WireObservation } from '../../src/model/wire.js';
import { SPEAKERS, type Speaker } from '../../src/sources/recorded-session.js';
import { fixInstallSeed } from './service-process.js';
import { temporaryDirectory } from './temporary-directory.js';

/** A core in a folder of its own, fed without HTTP. */
export interface FedCore {
  core: Core;
  clock: ManualClock;
  dataDir: string;
  observe: (speaker: Speaker, observations: readonly WireObservation[]) => Promise<IntakeReport>;
  /** Lets processing time pass, as a record of the log. */
  tick: (ms: number) => Promise<void>;
  /** Stops it; the folder stays. */
  close: () => Promise<void>;
  remove: () => void;
}

/**
 * @param seed install secret, so that a second core can be given the same
 * @param told who else wants to know what is scored
 */
export function openFedCore(
  seed: number,
  config: Partial<Config> = {},
  told: Partial<Pick<CoreOptions, 'scored' | 'notice'>> = {},
): FedCore {
  const directory = temporaryDirectory();
  const dataDir = join(directory.path, 'data');
  fixInstallSeed(dataDir, seed);
  const clock = new ManualClock(systemClock.now());
  const core = openCore({
    config: { ...loadConfig(undefined, {}), ...config, dataDir },
    clock,
    notice: () => {},
    failed: (error) => {
      throw error;
    },
    ...told,
  });
  return {
    core,
    clock,
    dataDir,
    observe: (speaker, observations) =>
      core.intake.accept(
        observations.map((value, index) => ({ index, value, bytes: 0 })),
        [],
        principal(speaker),
      ),
    tick: async (ms) => {
      clock.advance(ms);
      await core.record({ type: 'tick', value: { now: clock.now() } });
    },
    close: () => core.close(),
    remove: () => directory.remove(),
  };
}

/** Whom intake takes a speaker for. */
export function principal(id: Speaker): Principal {
  const { role, stream } = SPEAKERS[id];
  return { id, role, tenant: 'default', streams: new Set([stream]), agents: ['*'] };
}

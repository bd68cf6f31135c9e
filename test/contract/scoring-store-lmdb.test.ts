import { systemClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedScoringStore } from '../../src/log/embedded-scoring-store.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { describeScoringStoreContract, type ScoringStoreFixture } from './scoring-store-contract.js';

describeScoringStoreContract('LMDB', async () => {
  const directory = temporaryDirectory();
  const open = (): Pick<ScoringStoreFixture, 'environment' | 'store'> => {
    const environment = EmbeddedEnvironment.open({ directory: directory.path, clock: systemClock, reserveBytes: 0 });
    return { environment, store: new EmbeddedScoringStore(environment) };
  };
  const fixture: ScoringStoreFixture = {
    ...open(),
    reopen: async () => {
      await fixture.environment.close();
      Object.assign(fixture, open());
    },
    dispose: async () => {
      await fixture.environment.close();
      directory.remove();
    },
  };
  return fixture;
});

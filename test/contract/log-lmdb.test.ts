import { systemClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedLog, type EmbeddedLogOptions } from '../../src/log/embedded-log.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { describeLogContract, type LogFixture } from './log-contract.js';

async function create(options: EmbeddedLogOptions): Promise<LogFixture> {
  const directory = temporaryDirectory();
  const openEnvironment = (): EmbeddedEnvironment =>
    EmbeddedEnvironment.open({ directory: directory.path, clock: systemClock, maxBytes: 2 ** 30, reserveBytes: 0 });
  let environment = openEnvironment();
  let log = new EmbeddedLog(environment, options);
  const close = async (): Promise<void> => {
    await log.close();
    await environment.close();
  };
  return {
    log,
    reopen: async () => {
      await close();
      environment = openEnvironment();
      log = new EmbeddedLog(environment, options);
      return log;
    },
    dispose: async () => {
      await close();
      directory.remove();
    },
  };
}

describeLogContract('LMDB', () => create({}));
describeLogContract('LMDB, tiny segments and next to no memory', () =>
  create({ segmentBytes: 2048, cacheBytes: 1, readBytes: 4096 }),
);

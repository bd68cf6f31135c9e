import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { openCore } from '../../src/core.js';
import { systemClock } from '../../src/lib/clock.js';
import { leasedOf, limitsKey, type Lease } from '../../src/model/allowance.js';
import { outboxFeed } from '../../src/store/feed.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

it('changes what its partition may do, over a restart too, and what is said of it is not stored', async () => {
  const config = { ...loadConfig(undefined, {}), dataDir: directory.path };
  const place = { partition: 1, partitions: 3 };
  const open = () => openCore({ config, place, clock: systemClock, notice: () => {}, failed: () => {} });
  const limits = limitsKey(leasedOf(config.respond.caps), place.partitions);
  const lease: Lease = { time: 1, partition: 1, limits, term: 1, holder: 'node-a', number: 0 };
  const allowance = { commandsPerMinute: 3, totalCommandsPerMinute: 40, minContainedAgents: 2 };
  const core = open();
  expect(core.responder.settingsOf('x').caps).toMatchObject({ commandsPerMinute: 7, minContainedAgents: 1 });
  await core.record({ type: 'lease', value: lease }, { type: 'lease', value: { ...lease, number: 1, allowance } });
  await core.settled();
  const told = core.store.outbox(0, 10);
  expect(told.map(({ effect }) => effect.value)).toMatchObject([{ number: 0 }, { number: 1, allowance }]);
  expect(outboxFeed(core.store, 1).read(0, 10)).toMatchObject([{ row: undefined }, { row: undefined }]);
  await core.close();
  const again = open();
  expect(again.responder.settingsOf('x').caps).toMatchObject(allowance);
  await again.close();
});

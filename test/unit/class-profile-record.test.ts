import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { openCore } from '../../src/core.js';
import { systemClock } from '../../src/lib/clock.js';
import { classPartitions, contributionsOf, profileRecords } from '../support/class-partitions.js';
import { live, ordinary } from '../support/office.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

it('is adopted by the partition it is for, over a restart too; a damaged one changes nothing', async () => {
  const parts = classPartitions(2);
  for (let n = 0; n < 40; n++) if (parts[1] !== undefined) live(parts[1].registry, ordinary(n, 'office-1'));
  const records = profileRecords(await contributionsOf(parts), 2);
  const [own, others] = records;
  if (own === undefined || others === undefined) throw new Error('no record');
  const notices: string[] = [];
  const open = () =>
    openCore({
      config: { ...loadConfig(undefined, {}), dataDir: directory.path },
      place: { partition: 0, partitions: 2 },
      clock: systemClock,
      notice: (message) => void notices.push(message),
      failed: () => {},
    });
  const core = open();
  const damaged = { ...own, value: 'other', state: 'AAAA' };
  for (const value of [others, own, own, damaged]) await core.record({ type: 'activation', value });
  await core.settled();
  expect(notices.filter((message) => message.includes('class profile'))).toEqual([
    'a class profile was adopted',
    'a class profile cannot be read; what is known stays as it is',
  ]);
  expect(core.baselines.profiles.version('t', 'office')).toBe(own.value);
  await core.close();
  const again = open();
  expect(again.baselines.profiles.version('t', 'office')).toBe(own.value);
  await again.close();
});

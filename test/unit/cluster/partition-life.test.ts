import { expect, it } from 'vitest';
import { PartitionLife, type LifeParts } from '../../../src/cluster/partition-life.js';
import { PartitionState } from '../../../src/cluster/partition-state.js';
import { loadConfig } from '../../../src/config.js';
import { systemClock } from '../../../src/lib/clock.js';
import { eventually } from '../../support/eventually.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

it.each([true, false])(
  'ends while it takes a partition over that nobody reads any more (handed over: %s)',
  async (to) => {
    const directory = temporaryDirectory();
    const config = { ...loadConfig(undefined, {}), dataDir: directory.path };
    const common = { config, partitions: 1, clock: systemClock, readAgain: () => {} };
    const state = await PartitionState.open({ ...common, partition: 0 });
    const written: unknown[] = [];
    const failures: unknown[] = [];
    const parts: Partial<LifeParts> = {
      ...common,
      state,
      client: {
        topicOffsets: async () => [{ partition: 0, low: 0, high: 0 }],
        // What is written here never comes back.
        produce: async (records: readonly unknown[]) => written.push(...records) - 1,
      } as unknown as LifeParts['client'],
      group: () => ({ owns: () => true, isFenced: () => false }) as unknown as ReturnType<LifeParts['group']>,
      topics: { observations: 'o', state: 's', commandEvents: 'e', commands: 'c', incidents: 'i' },
      notice: () => {},
      failed: (error) => failures.push(error),
    };
    // Nothing else is touched before the state is whole.
    const life = new PartitionLife(parts as LifeParts, 1);
    await life.begin();
    await eventually('it says that it takes over', () => written.length > 0);
    await life.end(to);
    expect(life.live).toBeUndefined();
    expect(failures).toEqual([]);
    await state.close();
    directory.remove();
  },
);

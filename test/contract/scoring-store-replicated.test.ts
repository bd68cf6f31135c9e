import { systemClock } from '../../src/lib/clock.js';
import { CompactedTopic } from '../support/compacted-topic.js';
import { ReplicaMachine } from '../support/replica-machine.js';
import { describeScoringStoreContract, type ScoringStoreFixture } from './scoring-store-contract.js';

const HOUR_MS = 3_600_000;
const options = { clock: systemClock, maxWarmAgeMs: HOUR_MS, limits: { cursorLingerMs: 1 } };

/** @param isMoved to another machine each time it is opened, instead of starting again on its own */
async function create(isMoved: boolean): Promise<ScoringStoreFixture> {
  const topic = new CompactedTopic({ clock: systemClock, lagMs: 24 * HOUR_MS, deleteRetentionMs: 24 * HOUR_MS });
  const machines = [await ReplicaMachine.start(topic, options)];
  let generation = 1;
  const open = async (machine: ReplicaMachine): Promise<Pick<ScoringStoreFixture, 'environment' | 'store'>> => {
    const store = await machine.takeOver(topic.connect(generation++));
    return { environment: machine.environment, store };
  };
  const fixture: ScoringStoreFixture = {
    ...(await open(machines[0] as ReplicaMachine)),
    reopen: async () => {
      const [machine] = machines;
      if (machine === undefined) throw new Error('no machine');
      await machine.crash();
      if (isMoved) machines.unshift(await ReplicaMachine.start(topic, options));
      Object.assign(fixture, await open(machines[0] as ReplicaMachine));
    },
    dispose: async () => {
      for (const machine of machines) await machine.dispose();
    },
  };
  return fixture;
}

describeScoringStoreContract('replicated, started again', () => create(false));
describeScoringStoreContract('replicated, restored elsewhere', () => create(true));

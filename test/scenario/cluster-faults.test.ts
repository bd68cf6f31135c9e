import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { added, brokerKilled, frozen, killed, removed, sendThrough, train } from '../support/cluster-fault-run.js';
import { compareIds, differencesToReplay, readLedger } from '../support/cluster-ledger.js';
import { makeTraffic, SETTINGS_OF_FAULT_RUNS } from '../support/cluster-traffic.js';
import { TestCluster } from '../support/cluster.js';
import { startKafka, type KafkaCluster } from '../support/kafka/broker.js';
import { whyNoBroker } from '../support/kafka/jars.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PARTITIONS = 6;
const SEED = 20_261_129;
const SESSION_MS = 4_000;

describe.skipIf(whyNoBroker() !== undefined)('three workers over three brokers', () => {
  const directory = temporaryDirectory();
  const traffic = makeTraffic({ partitions: PARTITIONS, agentsPerPartition: 2, trainSessions: 64, sessions: 64 });
  let kafka: KafkaCluster;
  let cluster: TestCluster;

  beforeAll(async () => {
    kafka = await startKafka({ brokers: 3 });
    cluster = await TestCluster.open({
      directory: directory.path,
      brokers: kafka.addresses,
      partitions: PARTITIONS,
      replicationFactor: 3,
      seed: SEED,
      settings: SETTINGS_OF_FAULT_RUNS,
      cluster: { sessionTimeoutMs: SESSION_MS },
      // Nobody replaces the engine while it stands still.
      storeOptions: { healthIntervalMs: 600_000 },
    });
    await Promise.all([cluster.add(), cluster.add(), cluster.add()]);
    await cluster.assigned();
    await train(cluster, traffic);
  }, 240_000);

  afterAll(async () => {
    await cluster?.close();
    await kafka?.stop();
    directory.remove();
  }, 60_000);

  it('store and decide each thing once, whoever is killed, stopped, added or removed, and whichever broker goes', async () => {
    const world = { cluster, brokers: kafka.brokers, frozenMs: 1.5 * SESSION_MS };
    const run = await sendThrough(world, traffic, [killed(0), frozen(1), brokerKilled(0), added, removed(2)]);
    console.log(JSON.stringify(run, undefined, 1));
    await cluster.settled();
    const ledger = await readLedger(cluster);
    const { stored, incidents, commands, repeated, repeatedRecords, outboxes } = ledger;
    console.log(
      `${traffic.observations} observations, ${incidents.length} incidents, ${commands.length} commands; ` +
        `${repeatedRecords} records and ${repeated} entries of the journal came twice`,
    );
    const none = { missing: [], extra: [], doubled: [] };
    expect(compareIds(stored.observations, traffic.ids)).toEqual(none);
    expect(incidents.length).toBeGreaterThan(10);
    expect(commands.length).toBeGreaterThan(10);
    expect(compareIds(stored.incidents, incidents)).toEqual(none);
    expect(compareIds(stored.commands, commands)).toEqual(none);
    expect(outboxes).toBe(PARTITIONS);
    const config = loadConfig(cluster.nodes[0]?.setup.configFile, {});
    expect(await differencesToReplay(cluster, ledger, SEED, config)).toEqual([]);
  }, 240_000);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { createGatewayClient } from '../../src/gateway/client.js';
import { added, brokerKilled, frozen, killed, removed, sendThrough, train } from '../support/cluster-fault-run.js';
import { compareIds, differencesToReplay, readJournal, readLedger } from '../support/cluster-ledger.js';
import { idsOfTraffic, makeTraffic, Sender, SETTINGS_OF_FAULT_RUNS, type Lanes } from '../support/cluster-traffic.js';
import { statusOf, TestCluster, type TestNode } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startKafka, type KafkaCluster } from '../support/kafka/broker.js';
import { whyNoBroker } from '../support/kafka/jars.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PARTITIONS = 6;
const SEED = 20_261_129;
const SESSION_MS = 4_000;
/** How long ClickHouse is away, and Kafka, ms. */
const AWAY_MS = 9_000;
const NONE = { missing: [], extra: [], doubled: [] };

describe.skipIf(whyNoBroker() !== undefined)('three workers over three brokers', () => {
  const directory = temporaryDirectory();
  const phases = makeTraffic({ partitions: PARTITIONS, agentsPerPartition: 2, sessions: [64, 64, 27, 27] });
  const [learned, faulty, withoutStore, withoutKafka] = phases;
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
      settings: { ...SETTINGS_OF_FAULT_RUNS, check: { deadlineMs: 20_000 } },
      cluster: { sessionTimeoutMs: SESSION_MS },
      // Nobody replaces the engine while it stands still.
      storeOptions: { healthIntervalMs: 600_000 },
    });
    await Promise.all([cluster.add(), cluster.add(), cluster.add()]);
    await cluster.assigned();
    await train(cluster, learned ?? []);
  }, 240_000);

  afterAll(async () => {
    await cluster?.close();
    await kafka?.stop();
    directory.remove();
  }, 120_000);

  it('store and decide each thing once, whoever is killed, stopped, added or removed, and whichever broker goes', async () => {
    const world = { cluster, brokers: kafka.brokers, frozenMs: 1.5 * SESSION_MS };
    const faults = [killed(0), frozen(1), brokerKilled(0), added, removed(2)];
    const run = await sendThrough(world, faulty ?? [], faults);
    for (const { name, tookMs } of run.faults) console.log(`${name}: ${tookMs} ms`);
    console.log(`not acknowledged: ${JSON.stringify(run.failures)}`);
    expect(run.faults.map(({ name }) => name)).toEqual(faults.map(({ name }) => name));
    await holds(2);
  }, 240_000);

  it('go on without ClickHouse, which catches up', async () => {
    const pid = cluster.store?.state().pid ?? 0;
    const told = (await readJournal(cluster)).incidents.length;
    process.kill(pid, 'SIGSTOP');
    const stoppedAt = performance.now();
    try {
      await new Sender(cluster, withoutStore ?? []).run();
      await cluster.scored();
      await eventually('it is told', async () => (await readJournal(cluster)).incidents.length > told, 30_000);
      for (const node of cluster.nodes) {
        const answer = await check(node, 'agent-0');
        expect(answer).toMatchObject({ source: 'observer', timedOut: false });
        expect(await ready(node)).toMatchObject({ ready: true, parts: { log: 'ok' } });
      }
      const left = AWAY_MS - (performance.now() - stoppedAt);
      if (left > 0) await sleep(left);
    } finally {
      // It is started again, on what it had.
      process.kill(pid, 'SIGKILL');
    }
    await holds(3);
  }, 240_000);

  it('lose nothing that was acknowledged while Kafka is away, say so, and go on by themselves', async () => {
    const pids = cluster.nodes.map(({ service }) => service.pid);
    const sender = new Sender(cluster, withoutKafka ?? []);
    const sending = sender.run(() => 50);
    await eventually('it is under way', () => sender.sent > 100);
    const gone = performance.now();
    await Promise.all(kafka.brokers.map((broker) => broker.kill()));
    for (const node of cluster.nodes) {
      await eventually('it says that the log is away', async () => !(await ready(node)).ready);
      expect(await ready(node)).toMatchObject({ ready: false, parts: { log: 'failing' } });
      expect((await fetch(`${node.service.url}/healthz`)).status).toBe(200);
    }
    const sentWithout = sender.sent;
    await sleep(Math.max(0, AWAY_MS - (performance.now() - gone)));
    expect(sender.sent).toBe(sentWithout);
    await Promise.all(kafka.brokers.map((broker) => broker.start()));
    await Promise.all(kafka.brokers.map((broker) => broker.waitUntilUp()));
    const backAt = performance.now();
    const since = (what: string) =>
      console.log(`${what} ${Math.round(performance.now() - backAt)} ms after Kafka was back`);
    await sending;
    since('all was acknowledged');
    await cluster.assigned();
    since('all partitions were scored');
    await holds(4);
    since('all was stored and compared');
    for (const node of cluster.nodes) expect(await ready(node)).toMatchObject({ ready: true });
    expect(cluster.nodes.map(({ service }) => service.pid)).toEqual(pids);
  }, 240_000);

  /** Everything of the first phases is there once, and what was decided is what a replay without any fault decides. */
  async function holds(phaseCount: number): Promise<void> {
    await cluster.assigned();
    await cluster.settled();
    const sent: Lanes[] = phases.slice(0, phaseCount);
    const ids = idsOfTraffic(sent);
    const storing = await Promise.all(
      cluster.nodes.map(async (node) =>
        Object.values((await statusOf(node.service)).partitions).map((one) => one.storing),
      ),
    );
    expect(storing.flat().map((one) => [one?.lostRecords, one?.refusedRows])).toEqual(storing.flat().map(() => [0, 0]));
    const ledger = await readLedger(cluster);
    // What gateways asked is in the log too, under ids of our own.
    const isSent = (id: string): boolean => !id.startsWith('obs_');
    expect(compareIds(ledger.logged.filter(isSent), ids)).toEqual(NONE);
    const { stored, incidents, commands, repeated, repeatedRecords } = ledger;
    console.log(
      `${ids.length} observations, ${incidents.length} incidents, ${commands.length} commands; ` +
        `${repeatedRecords} records and ${repeated} entries of the journal came twice`,
    );
    expect(compareIds(stored.observations, ledger.logged)).toEqual(NONE);
    expect(incidents.length).toBeGreaterThan(10);
    expect(commands.length).toBeGreaterThan(10);
    expect(compareIds(stored.incidents, incidents)).toEqual(NONE);
    expect(compareIds(stored.commands, commands)).toEqual(NONE);
    // Nobody's state was lost.
    expect(ledger.outboxes).toBe(PARTITIONS);
    const config = loadConfig(at(0).setup.configFile, {});
    expect(await differencesToReplay(cluster, ledger, SEED, config)).toEqual([]);
  }

  function at(index: number): TestNode {
    const node = cluster.nodes[index];
    if (node === undefined) throw new Error('no node');
    return node;
  }
});

async function ready({ service }: TestNode): Promise<{ ready: boolean; parts: Record<string, string> }> {
  const response = await fetch(`${service.url}/readyz`);
  // Only the parts that are looked at.
  return (await response.json()) as { ready: boolean; parts: Record<string, string> };
}

async function check({ service, setup }: TestNode, agentId: string): Promise<object> {
  const kit = createGatewayClient({
    url: service.url,
    key: setup.keys.gateway,
    gatewayId: 'gateway',
    deadlineMs: 20_000,
  });
  const id = `asked-${service.url}`;
  const call = { time: Date.parse('2026-01-05T00:00:00Z'), agentId, sessionId: id, callId: id, tool: 'send_money' };
  const answer = await kit.check({ ...call, effect: 'write', args: {} });
  await kit.close(0);
  return answer;
}

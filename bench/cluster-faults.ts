import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadConfig } from '../src/config.js';
import {
  added,
  brokerKilled,
  brokerRestarted,
  frozen,
  killed,
  removed,
  sendThrough,
  train,
  type Fault,
} from '../test/support/cluster-fault-run.js';
import { compareIds, differencesToReplay, readLedger, type Ledger } from '../test/support/cluster-ledger.js';
import {
  idsOfTraffic,
  makeTraffic,
  Sender,
  SETTINGS_OF_FAULT_RUNS,
  type Lanes,
} from '../test/support/cluster-traffic.js';
import { TestCluster } from '../test/support/cluster.js';
import { startKafka } from '../test/support/kafka/broker.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';

/*
 * `npm run bench -- cluster-faults`: what test/scenario/cluster-faults.test.ts holds small, at full size. The same input
 * goes once through a cluster that nothing happens to, and once through one whose workers and brokers fail by turns;
 * then ClickHouse is away under load. Everything is compared by id, and each log is scored once more in one process.
 */
const SEED = 20_261_129;
const SESSION_MS = 6_000;
/** Observations of a session of this traffic, on average. */
const PER_SESSION = 9.2;

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    observations: { type: 'string', default: '200000' },
    partitions: { type: 'string', default: '12' },
    workers: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    'away-seconds': { type: 'string', default: '120' },
  },
});
const partitions = Number(values.partitions);
const rounds = Number(values.rounds);
const sessions = Math.ceil(Number(values.observations) / PER_SESSION / partitions);
const phases = makeTraffic({
  partitions,
  agentsPerPartition: 4,
  sessions: [Math.min(120, sessions), sessions, Math.ceil(sessions / 20)],
});
const [learned = [], watched = [], withoutStore = []] = phases;
const FAULTS: readonly Fault[] = Array.from({ length: rounds }, (_, n) => [
  killed(n),
  frozen(n + 1),
  brokerKilled(n),
  added,
  removed(n),
  brokerRestarted(n + 1),
]).flat();

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const directory = temporaryDirectory();

say(`${idsOfTraffic([learned, watched]).length} observations in ${partitions} partitions, ${values.workers} workers`);
const calm = await run('undisturbed', []);
const shaken = await run('with faults', FAULTS, Number(values['away-seconds']) * 1_000);
say('against the undisturbed run:');
compare('incidents', shaken.incidents, calm.incidents);
compare('commands', shaken.commands, calm.commands);
directory.remove();

async function run(name: string, faults: readonly Fault[], awayMs = 0): Promise<Ledger> {
  say(`\n${name}`);
  const folder = join(directory.path, name.replaceAll(' ', '-'));
  mkdirSync(folder);
  const kafka = await startKafka({ brokers: 3 });
  const cluster = await TestCluster.open({
    directory: folder,
    brokers: kafka.addresses,
    partitions,
    replicationFactor: 3,
    seed: SEED,
    settings: { ...SETTINGS_OF_FAULT_RUNS, check: { deadlineMs: 20_000 } },
    cluster: { sessionTimeoutMs: SESSION_MS },
    storeOptions: { healthIntervalMs: 600_000 },
  });
  try {
    await Promise.all(Array.from({ length: Number(values.workers) }, () => cluster.add()));
    await cluster.assigned();
    await train(cluster, learned);
    const world = { cluster, brokers: kafka.brokers, frozenMs: 1.5 * SESSION_MS };
    const result = await sendThrough(world, watched, faults);
    for (const { name: what, tookMs, takenOverMs, sentBefore, sentAfter } of result.faults) {
      const taken = takenOverMs === undefined ? '' : `scored elsewhere after ${seconds(takenOverMs)}, `;
      say(`  ${what}: ${taken}all well after ${seconds(tookMs)}, ${sentAfter - sentBefore} observations meanwhile`);
    }
    say(`  sent in ${seconds(result.tookMs)}; not acknowledged: ${JSON.stringify(result.failures)}`);
    const settling = performance.now();
    await cluster.assigned();
    await cluster.settled(cluster.nodes, 1_800_000);
    say(`  scored and stored ${seconds(performance.now() - settling)} later`);
    const ledger = await look(cluster, [learned, watched]);
    if (awayMs > 0) await withoutClickHouse(cluster, awayMs);
    return ledger;
  } finally {
    await cluster.close();
    await kafka.stop();
  }
}

async function withoutClickHouse(cluster: TestCluster, awayMs: number): Promise<void> {
  say(`  ClickHouse away for ${awayMs / 1_000} s under load`);
  const pid = cluster.store?.state().pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  const sender = new Sender(cluster, withoutStore);
  const pauseMs = awayMs / (2 * Math.max(...withoutStore.map(({ length }) => length)));
  await Promise.all([sender.run(() => pauseMs), sleep(awayMs)]);
  await cluster.scored(cluster.nodes, 600_000);
  process.kill(pid, 'SIGKILL');
  const at = performance.now();
  await cluster.settled(cluster.nodes, 1_800_000);
  say(`  stored ${seconds(performance.now() - at)} after it was back`);
  await look(cluster, [learned, watched, withoutStore]);
}

async function look(cluster: TestCluster, sent: readonly Lanes[]): Promise<Ledger> {
  const ledger = await readLedger(cluster);
  const { stored, incidents, commands, repeated, repeatedRecords, outboxes } = ledger;
  say(`  ${repeatedRecords} records and ${repeated} entries of the journal came twice; ${outboxes} outboxes`);
  compare('observations', stored.observations, idsOfTraffic(sent));
  compare('incidents in ClickHouse', stored.incidents, incidents);
  compare('commands in ClickHouse', stored.commands, commands);
  const [node] = cluster.nodes;
  const differences = await differencesToReplay(cluster, ledger, SEED, loadConfig(node?.setup.configFile, {}));
  say(`  scored once more: ${differences.length} partitions differ ${JSON.stringify(differences)}`);
  if (differences.length > 0) process.exitCode = 1;
  return ledger;
}

function compare(what: string, actual: readonly string[], wanted: readonly string[]): void {
  const { missing, extra, doubled } = compareIds(actual, wanted);
  say(`  ${what}: ${actual.length}, missing ${missing.length}, extra ${extra.length}, doubled ${doubled.length}`);
  const first = [...missing, ...extra, ...doubled].slice(0, 5);
  if (first.length === 0) return;
  say(`    ${first.join(' ')}`);
  process.exitCode = 1;
}

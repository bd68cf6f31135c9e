/**
 * One, two and four workers over a real broker, beside a Kafka Streams job that answers the window lane's question over
 * the same input, and beside the bare round trips: what each costs, how long gateways wait, and how long a partition's
 * next owner takes. Needs Java and Maven; says so and ends where they are missing.
 *
 *     npm run bench -- cluster                       all of it, a table; JSON in dist/bench-cluster.json
 *     npm run bench -- cluster --write               also writes its section of bench/RESULTS.md
 *     npm run bench -- cluster --only cost,peer      some of: cost, peer, latency, restore
 *     npm run bench -- cluster --workers 1,2 --runs 5    other numbers of workers, and of runs of each
 *     npm run bench -- cluster --quick               one run of each, and less traffic, to try something out
 *
 * The peer: bench/peers/kafka-streams; what it does less and more stands in AgentRates.java.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { KafkaConnection } from '../src/kafka/client.js';
import { partitionOf } from '../src/kafka/partitioner.js';
import { topicsOf, wantedTopics } from '../src/kafka/topics.js';
import { startKafka } from '../test/support/kafka/broker.js';
import { whyNoBroker } from '../test/support/kafka/jars.js';
import { repositoryRoot } from '../test/support/recorded.js';
import { bareTrips } from './support/bare-trips.js';
import { inputOf, produceAll, type Input } from './support/cluster-input.js';
import { clusterLatencies } from './support/cluster-latency.js';
import { clusterReport, type ClusterResults, type LatencyRow } from './support/cluster-report.js';
import { takeovers } from './support/cluster-restore.js';
import { costOf, until, type Side, type SideCost } from './support/cluster-side.js';
import { ClusterWorkers, clusterSettings } from './support/cluster-workers.js';
import { peerAnswer } from './support/peer-answer.js';
import { writeSection } from './support/results-file.js';
import { buildPeer, StreamsPeer, whyNoPeer } from './support/streams-peer.js';
import { partSpanMs, traffic } from './support/traffic.js';

const { values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    workers: { type: 'string', default: '1,2,4' },
    runs: { type: 'string', default: '' },
  },
});
const missing = whyNoBroker() ?? whyNoPeer();
if (missing !== undefined) {
  console.error(`The cluster's benchmark is skipped: ${missing}`);
  process.exit(0);
}
const RUNS = flags.runs === '' ? (flags.quick ? 1 : 3) : Number(flags.runs);
const EVENTS = flags.quick ? 15_000 : 40_000;
const AGENTS = 333;
const PARTITIONS = 12;
const STEP_MS = 5;
/** Parts before anything is measured: agents are known by then, and code is compiled. */
const WARM_UP = flags.quick ? 1 : 2;
const WORKERS = flags.workers.split(',').map(Number);
const THREADS = [1, 2];
const SHAPES = ['join', 'one'] as const;
/** Observations a second while latencies are taken; and without any. */
const PACES = [0, 500];
/** Enough for the longest that latencies take on a machine that is busy. */
const LOAD_EVENTS = 120 * Math.max(...PACES);
const CHECKS = flags.quick ? 100 : 400;
const DECISIVE = flags.quick ? 20 : 60;
const HOPS = [1, 2, 3];
/** Between the warm-up and what is measured, ms: for what follows from it at leisure. */
const SETTLE_MS = 3_000;
const RESTORE_SESSION_MS = 6_000;

const wants = (what: string) => flags.only === '' || flags.only.split(',').includes(what);
const spanMs = partSpanMs({ events: EVENTS, stepMs: STEP_MS });
/** Event time of part 0: the last part, which is the load, ends before now. */
const startMs = Date.now() - (WARM_UP + 1) * spanMs - partSpanMs({ events: LOAD_EVENTS, stepMs: STEP_MS });
const partOf = (part: number, events = EVENTS): Input =>
  inputOf(
    traffic({
      part,
      agents: AGENTS,
      events,
      groupEvents: 64,
      stepMs: STEP_MS,
      startMs: startMs + part * spanMs,
    }),
    PARTITIONS,
  );
const warm = Array.from({ length: WARM_UP }, (_, part) => partOf(part));
const measured = partOf(WARM_UP);
/** Lies beyond the others in event time and in sessions, however long it is. */
const loadPart = partOf(WARM_UP + 1, LOAD_EVENTS);
const expected = peerAnswer(
  [...warm, measured].flatMap(({ observations }) => observations),
  ({ tenant, agentId }) => partitionOf(tenant, agentId, PARTITIONS),
);

const results: ClusterResults = {
  date: new Date().toISOString().slice(0, 10),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: repositoryRoot }).trim(),
  node: process.version,
  machine: `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  cores: cpus().length,
  loadAverage: loadavg()[0] ?? 0,
  events: measured.observations.length,
  records: measured.records.length,
  agents: AGENTS,
  partitions: PARTITIONS,
  runs: RUNS,
  costs: {},
  peer: { expected, answers: [] },
  latencies: [],
  takeovers: [],
};

await buildPeer();
const kafka = await startKafka();
const brokers = kafka.addresses;
const connect = (clientId: string) => new KafkaConnection({ brokers, clientId }, { env: {} });
const client = connect('bench');
let names = 0;
try {
  for (let run = 0; run < RUNS; run++) {
    // Alternated: what the machine does meanwhile meets all of them.
    for (const workers of wants('cost') ? WORKERS : []) await measureWorkers(workers);
    for (const shape of wants('peer') ? SHAPES : []) for (const threads of THREADS) await measurePeer(shape, threads);
    save();
  }
  if (wants('latency')) await measureLatencies();
  save();
  if (wants('restore')) {
    const topicPrefix = await filledPrefix();
    const sessionTimeoutMs = RESTORE_SESSION_MS;
    const options = { client, brokers, topicPrefix, partitions: PARTITIONS, workers: 1, sessionTimeoutMs };
    results.takeovers = await takeovers(options);
  }
} finally {
  save();
  await client.close();
  await kafka.stop();
}
const text = clusterReport(results);
process.stdout.write(text);
if (flags.write) writeSection(join(repositoryRoot, 'bench', 'RESULTS.md'), 'cluster', text);
process.exit(0);

/** A prefix with all topics, in which the parts before the measured one lie. */
async function filledPrefix(): Promise<string> {
  const topicPrefix = `bench-${names++}`;
  const wanted = wantedTopics(clusterSettings({ brokers, topicPrefix, partitions: PARTITIONS }));
  await client.admin.createTopics(wanted);
  for (const part of warm) await produceAll(client, topicsOf(topicPrefix).observations, part);
  return topicPrefix;
}

async function measure(name: string, side: Side, topicPrefix: string, lookMs: number): Promise<SideCost> {
  await until(() => side.isThrough(), 200);
  await sleep(SETTLE_MS);
  const cost = await costOf({
    side,
    brokerPid: kafka.brokers[0]?.pid ?? 0,
    events: measured.observations.length,
    produce: () => produceAll(client, topicsOf(topicPrefix).observations, measured),
    lookMs,
  });
  (results.costs[name] ??= []).push(cost);
  console.error(`${name}: ${cost.eventsPerSecond.toFixed(0)} events/s, ${cost.totalUs.toFixed(1)} us`);
  return cost;
}

async function measureWorkers(workers: number): Promise<void> {
  const topicPrefix = await filledPrefix();
  const side = await ClusterWorkers.start({ client, brokers, topicPrefix, partitions: PARTITIONS, workers });
  try {
    await measure(`${workers} worker${workers === 1 ? '' : 's'}`, side, topicPrefix, 100);
  } finally {
    await side.close();
  }
}

async function measurePeer(shape: (typeof SHAPES)[number], threads: number): Promise<void> {
  const topicPrefix = await filledPrefix();
  const [input, output] = [topicsOf(topicPrefix).observations, `${topicPrefix}.flags`];
  await client.admin.createTopics([{ topic: output, partitions: PARTITIONS, replicationFactor: 1, config: {} }]);
  const application = `${topicPrefix}-streams`;
  const peer = await StreamsPeer.start({ client, brokers, input, output, application, threads, shape });
  try {
    const name = `Kafka Streams, ${shape === 'join' ? 'two tables joined' : 'one table'}, ${threads} thread${threads === 1 ? '' : 's'}`;
    await measure(name, peer, topicPrefix, 10);
    results.peer.answers.push({ name, answer: peer.answer() });
  } finally {
    await peer.close();
  }
}

async function measureLatencies(): Promise<void> {
  const reader = connect('bench-reader');
  const row = (what: string, perSecond: number, latencies: readonly number[], timedOut = 0) =>
    void results.latencies.push(rowOf(what, perSecond, latencies, timedOut));
  for (const perSecond of PACES) {
    for (const hops of HOPS) {
      const options = { client, reader, partitions: PARTITIONS, hops, count: CHECKS, everyMs: 25, load: loadPart };
      row(`bare, ${hops} round trip${hops === 1 ? '' : 's'}`, perSecond, await bareTrips({ ...options, perSecond }));
    }
  }
  await reader.close();
  for (const workers of WORKERS) {
    const topicPrefix = await filledPrefix();
    const side = await ClusterWorkers.start({ client, brokers, topicPrefix, partitions: PARTITIONS, workers });
    try {
      await until(() => side.isThrough(), 200);
      await sleep(SETTLE_MS);
      for (const perSecond of PACES) {
        const { checks, timedOut, commands } = await clusterLatencies({
          client,
          workers: side,
          topicPrefix,
          partitions: PARTITIONS,
          checks: CHECKS,
          decisive: DECISIVE,
          load: loadPart,
          perSecond,
          tag: `${workers}-${perSecond}`,
        });
        row(`check answered, ${workers} worker${workers === 1 ? '' : 's'}`, perSecond, checks, timedOut);
        row(`decisive event to its command, ${workers} worker${workers === 1 ? '' : 's'}`, perSecond, commands);
      }
    } finally {
      await side.close();
    }
  }
}

function rowOf(what: string, perSecond: number, latencies: readonly number[], timedOut: number): LatencyRow {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
  const row = { what, perSecond, p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1), count: sorted.length, timedOut };
  console.error(`${what} at ${perSecond}/s: ${row.p50Ms.toFixed(1)} / ${row.p99Ms.toFixed(1)} ms`);
  return row;
}

/** After every part, so that a part that fails costs no other. */
function save(): void {
  writeFileSync(join(repositoryRoot, 'dist', 'bench-cluster.json'), `${JSON.stringify(results, null, 2)}\n`);
}

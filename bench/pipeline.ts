/**
 * What watching costs: the whole embedded service against a bare floor, by stage, with latencies, growth and memory.
 *
 *     npm run bench                                  all of it, a table; JSON in dist/bench-results.json
 *     npm run bench -- quality                       detection quality instead: bench/quality.ts
 *     node dist/bench/pipeline.js --write            also writes bench/RESULTS.md
 *     node dist/bench/pipeline.js --events 60000      a round of so many, by a sixtieth as many agents
 *     node dist/bench/pipeline.js --only pairs,growth some of: stages, recorded, pairs, checks, growth, memory
 *     node dist/bench/pipeline.js --quick            one pair and less traffic, to try something out
 *
 * Load comes from this process, the service and the floor are processes of their own; CPU is theirs and that of their
 * ClickHouse, from /proc, so it needs Linux. Stage times come from a round of its own with timers in the service; the
 * pairs run without them.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { recordedData, repositoryRoot } from '../test/support/recorded.js';
import { recordedSessions, spread } from '../test/support/session-traffic.js';
import { commandLatencies } from './support/command-latency.js';
import { eventsFor, growthOverAgents, growthOverDetectors } from './support/growth.js';
import { cost, firstOf, start, type Cost, type Running } from './support/measured.js';
import { applyParts, type PartCosts } from './support/parts.js';
import { report, type Results, type StageRow, type Stages } from './support/report.js';
import type { StageReading } from './support/stage-timers.js';
import { post } from './support/load.js';
import { writeSection } from './support/results-file.js';
import { groupsOf, partSpanMs, traffic, type Group } from './support/traffic.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    events: { type: 'string', default: '' },
  },
});
const PAIRS = flags.quick ? 1 : 5;
const STANDARD_EVENTS = flags.quick ? 15_000 : 20_000;
const EVENTS = flags.events === '' ? STANDARD_EVENTS : Number(flags.events);
/** Five sessions of each in every part. */
const AGENTS = Math.round(EVENTS / 60);
/** Parts before anything is measured: an agent is known after ten sessions. */
const WARM_UP = 3;
const GROUP = 512;
const STEP_MS = 5;
const HALF_LOAD_MS = flags.quick ? 5_000 : 15_000;
const IDLE_CHECKS = 400;
const PARTS = PAIRS + 12;
/** As many agents as a few minutes allow; the design's 100,000 would take an hour of traffic for one session each. */
const MANY_AGENTS = flags.quick ? 500 : 2_000;

/** Event time of part 0: the last part ends before now. */
const spanMs = partSpanMs({ events: EVENTS, stepMs: STEP_MS });
const startMs = Date.now() - PARTS * spanMs;
const partOf = (part: number, groupEvents = GROUP): Group[] =>
  traffic({ part, agents: AGENTS, events: EVENTS, groupEvents, stepMs: STEP_MS, startMs: startMs + part * spanMs });

async function askStages(running: Running): Promise<StageReading> {
  const answer = firstOf(running.process);
  running.process.send('stages');
  // The measured process answers this question with exactly this.
  return (await answer) as StageReading;
}

async function byStage(groups: readonly Group[], warm: readonly Group[][]): Promise<Stages> {
  const service = await start('support/under-load.js', ['timed']);
  for (const part of warm) await cost(service, part);
  const before = await askStages(service);
  const whole = await cost(service, groups);
  const after = await askStages(service);
  await service.close();
  const parts = applyParts(groups);
  return stageRows({ before, after, whole, parts });
}

function stageRows(of: { before: StageReading; after: StageReading; whole: Cost; parts: PartCosts }): Stages {
  const { before, after, whole, parts } = of;
  // On a busy machine the thread is interrupted anywhere: every stage is longer than its CPU by the same factor.
  const cpuShare = Math.min(1, (whole.mainThreadUs * whole.events) / 1000 / (after.activeMs - before.activeMs));
  const us = (...names: string[]) =>
    names.reduce((sum, name) => {
      const ms = (after.stages[name]?.ms ?? 0) - (before.stages[name]?.ms ?? 0);
      return sum + (1000 * ms * cpuShare) / whole.events;
    }, 0);
  const rows: StageRow[] = [
    { stage: 'scan + parse (HTTP body to values)', us: parts.scanAndParseUs },
    { stage: 'normalise + derive + redact', us: us('normalise') },
    { stage: 'encode for the log', us: parts.encodeUs },
    { stage: 'append (group commit, main thread)', us: us('append') },
    { stage: 'decode from the log', us: us('decode') },
    { stage: 'join', us: us('join') },
    { stage: 'baselines: assess', us: us('assess') },
    { stage: 'baselines: apply', us: us('apply') },
    { stage: 'baselines: learn closed sessions', us: us('learn', 'publish') },
    { stage: 'baselines: calibrate', us: us('calibrate') },
    { stage: 'detectors', us: us('detectors') },
    { stage: 'correlate + respond', us: us('correlate') },
    { stage: 'outbox (main thread)', us: us('outbox') },
    { stage: 'checkpoint: collect', us: us('checkpoint: join', 'checkpoint: baselines', 'checkpoint: rest') },
    { stage: 'checkpoint: encode', us: us('checkpoint: encode') },
    { stage: 'checkpoint: write (main thread)', us: us('checkpoint: commit') },
    { stage: 'storing: rows of log records (parent)', us: parts.storeRowsUs },
  ];
  const known = rows.reduce((sum, row) => sum + row.us, 0);
  rows.push(
    { stage: 'HTTP, event loop, timers, collecting outside stages', us: whole.mainThreadUs - known },
    { stage: 'other threads (LMDB writes, collector, sockets)', us: whole.parentUs - whole.mainThreadUs },
    { stage: 'storing: ClickHouse child', us: whole.childUs },
  );
  const gcUs = (1000 * cpuShare * (after.gcMs - before.gcMs)) / whole.events;
  return {
    rows,
    totalUs: whole.totalUs,
    gcUs,
    cpuShare,
    eventsPerSecond: whole.eventsPerSecond,
    bytesPerEvent: parts.wireBytes,
  };
}

/** Asks about calls at even distances. */
async function checks(
  running: Running,
  { count, everyMs, tag }: { count: number; everyMs: number; tag: string },
): Promise<{ latencies: number[]; timedOut: number }> {
  const key = running.target.keyOf('gateway');
  const latencies: number[] = [];
  let timedOut = 0;
  const begun = performance.now();
  const asked: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const waitMs = n * everyMs - (performance.now() - begun);
    if (waitMs > 0.5) await sleep(waitMs);
    const body = JSON.stringify({
      time: Date.now(),
      agentId: `file-agent-${10 * (n % 100) + 1}`,
      sessionId: `checked-${tag}-${n % 50}`,
      callId: `${tag}-${n}`,
      tool: 'send_invoice_7',
      effect: 'write',
      args: { to: 'somebody@partner-3.example.org', body: 'the amount is settled' },
    });
    const sent = performance.now();
    asked.push(
      post(`${running.target.url}/v1/check`, key, Buffer.from(body), 'application/json').then((text) => {
        if ((JSON.parse(text) as { timedOut?: boolean }).timedOut !== false) timedOut++;
        latencies.push(performance.now() - sent);
        return undefined;
      }),
    );
  }
  await Promise.all(asked);
  return { latencies, timedOut };
}

function quantiles({ latencies, timedOut }: { latencies: number[]; timedOut: number }) {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1), count: sorted.length, timedOut };
}

async function recorded(data: string): Promise<Group[]> {
  const sets = ['agentdojo', 'agentdyn'].map((set) => recordedSessions(join(data, set, 'train.jsonl.gz')));
  const sessions = (await Promise.all(sets)).flat();
  const gapMs = 2_000;
  const said = spread(sessions, Date.now() - (sessions.length + 300) * gapMs, gapMs).flatMap((one) => one.said);
  said.sort((a, b) => Number(a.observation.time) - Number(b.observation.time));
  return groupsOf(said, GROUP);
}

const results: Results = {
  date: new Date().toISOString().slice(0, 10),
  commit: commit(),
  node: process.version,
  machine: `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  loadAverage: loadavg()[0] ?? 0,
  events: EVENTS,
  agents: AGENTS,
};
const wants = (what: string) => flags.only === '' || flags.only.split(',').includes(what);

if (wants('stages'))
  results.stages = await byStage(
    partOf(WARM_UP),
    Array.from({ length: WARM_UP }, (_, i) => partOf(i)),
  );
if (wants('recorded') && recordedData !== undefined) {
  const groups = await recorded(recordedData);
  const half = groups.length >> 1;
  results.recordedStages = await byStage(groups.slice(half), [groups.slice(0, half)]);
}
save();
if (wants('pairs') || wants('checks')) {
  const [service, floor] = [await start('support/under-load.js', []), await start('floor.js', [])];
  for (let part = 0; part < WARM_UP; part++) await cost(service, partOf(part));
  await cost(floor, partOf(0));
  const pairs: { service: Cost; floor: Cost }[] = [];
  for (let pair = 0; wants('pairs') && pair < PAIRS; pair++) {
    const groups = partOf(WARM_UP + pair);
    const own = await cost(service, groups);
    pairs.push({ service: own, floor: await cost(floor, groups) });
    console.error(`pair ${pair + 1}: ${own.totalUs.toFixed(1)} / ${pairs.at(-1)?.floor.totalUs.toFixed(1)} us`);
  }
  if (pairs.length > 0) results.pairs = pairs;
  save();
  if (wants('checks')) {
    const idle = quantiles(await checks(service, { count: IDLE_CHECKS, everyMs: 10, tag: 'idle' }));
    const idleCommands = quantiles({ latencies: await commandLatencies(service.target, 'idle'), timedOut: 0 });
    const most = median(pairs.map((pair) => pair.service.throughPerSecond)) || 2_000;
    const perSecond = most / 2;
    const small = (part: number) => partOf(part, 64).slice(0, Math.ceil((perSecond * HALF_LOAD_MS) / 1000 / 64));
    const pacedFloor = await cost(floor, small(PAIRS + 4), perSecond);
    const paced = cost(service, small(PAIRS + 4), perSecond);
    const busy = quantiles(await checks(service, { count: Math.floor(HALF_LOAD_MS / 20), everyMs: 20, tag: 'busy' }));
    const pacedUs = (await paced).totalUs;
    const again = cost(service, small(PAIRS + 5), perSecond);
    const busyCommands = quantiles({ latencies: await commandLatencies(service.target, 'busy'), timedOut: 0 });
    await again;
    results.checks = { idle, busy, idleCommands, busyCommands, perSecond, pacedUs, pacedFloorUs: pacedFloor.totalUs };
  }
  await floor.close();
  await service.close();
}
save();
if (wants('growth')) {
  results.growth = {
    agents: await growthOverAgents({ few: 100, many: MANY_AGENTS, events: eventsFor(MANY_AGENTS) }),
    detectors: await growthOverDetectors({ few: 10, many: 1_000, events: 12_000 }),
  };
}
save();
if (wants('memory')) {
  const out = execFileSync(process.execPath, ['--expose-gc', join(here, 'memory.js')], { encoding: 'utf8' });
  // It prints this one line.
  results.memory = JSON.parse(out) as NonNullable<Results['memory']>;
}

save();
const text = report(results);
process.stdout.write(text);
if (flags.write) writeSection(join(repositoryRoot, 'bench', 'RESULTS.md'), 'speed', text);
process.exit(0);

/** After every part, so that a part that fails costs no other. */
function save(): void {
  writeFileSync(join(repositoryRoot, 'dist', 'bench-results.json'), `${JSON.stringify(results, null, 2)}\n`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: repositoryRoot }).trim();
  } catch {
    return 'unknown';
  }
}

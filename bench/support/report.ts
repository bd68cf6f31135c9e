import type { Growth } from './growth.js';

/** Everything that bench/pipeline.ts measured; this is also its JSON. */
export interface Results {
  date: string;
  commit: string;
  node: string;
  machine: string;
  loadAverage: number;
  events: number;
  agents: number;
  stages?: Stages;
  recordedStages?: Stages;
  pairs?: { service: CostFigures; floor: CostFigures }[];
  checks?: {
    idle: Latency;
    busy: Latency;
    /** From a decisive event to its command at a subscribed gateway. */
    idleCommands: Latency;
    busyCommands: Latency;
    perSecond: number;
    pacedUs: number;
    pacedFloorUs: number;
  };
  growth?: { agents: Growth; detectors: Growth };
  memory?: { perActiveAgent: Bytes; perOpenSession: Bytes; sessions: number };
}

export interface StageRow {
  stage: string;
  us: number;
}

export interface Stages {
  rows: StageRow[];
  totalUs: number;
  /** Collecting on the main thread, contained in the rows. */
  gcUs: number;
  /** CPU the main thread got of the time in which it had work. */
  cpuShare: number;
  eventsPerSecond: number;
  bytesPerEvent: number;
}

interface CostFigures {
  parentUs: number;
  childUs: number;
  totalUs: number;
  eventsPerSecond: number;
  throughPerSecond: number;
}

interface Latency {
  p50Ms: number;
  p99Ms: number;
  worstMs: number;
  count: number;
  /** Answered by the deadline, because scoring had not answered. */
  timedOut: number;
}

interface Bytes {
  heapBytes: number;
  residentBytes: number;
}

/** The goals of the design, and what they are compared with. */
const GOAL = {
  ratio: 1.6,
  summit: 1.25,
  checkMs: 10,
  agentBytes: 2_048,
  sessionBytes: 512,
  overAgents: 1.3,
  overDetectors: 2,
};

/** A readable page, which is also bench/RESULTS.md. */
export function report(results: Results): string {
  const { date, commit, node, machine, loadAverage, events, agents } = results;
  const misses: string[] = [];
  const lines = [
    '# What watching costs',
    '',
    `Printed by \`npm run bench -- --write\` on ${date} at commit ${commit}, Node ${node}, ${machine}, load average ` +
      `${loadAverage.toFixed(1)} before the start. CPU microseconds per event. Traffic: ${whole(agents)} agents with fifteen learned sessions each, sessions of 12 ` +
      `observations on four streams, about a thousand sessions open at once, all shipped detectors, ${events} events a round.`,
    '',
  ];
  if (results.pairs !== undefined) lines.push(...pairLines(results.pairs, misses));
  if (results.stages !== undefined) lines.push('## By stage, made-up traffic', '', ...stageLines(results.stages));
  if (results.recordedStages !== undefined) {
    lines.push('## By stage, recorded sessions', '', ...stageLines(results.recordedStages));
  }
  if (results.checks !== undefined) lines.push(...checkLines(results.checks, misses));
  if (results.growth !== undefined) lines.push(...growthLines(results.growth, misses));
  if (results.memory !== undefined) lines.push(...memoryLines(results.memory, misses));
  lines.push('## Goals that are missed', '');
  lines.push(...(misses.length === 0 ? ['None of those measured here.'] : misses.map((miss) => `- ${miss}`)));
  lines.push('');
  return lines.join('\n');
}

function pairLines(pairs: NonNullable<Results['pairs']>, misses: string[]): string[] {
  const ratios = pairs.map(({ service, floor }) => service.totalUs / floor.totalUs).toSorted((a, b) => a - b);
  const middle = (pick: (pair: (typeof pairs)[number]) => number) => median(pairs.map(pick));
  const ratio = median(ratios);
  if (ratio > GOAL.ratio) {
    misses.push(
      `Cost of watching is ${ratio.toFixed(2)} times the floor; the first goal is ${GOAL.ratio}, the summit ${GOAL.summit}.`,
    );
  } else if (ratio > GOAL.summit)
    misses.push(`Cost of watching is ${ratio.toFixed(2)} times the floor; the summit is ${GOAL.summit}.`);
  return [
    `## Against the floor, ${pairs.length} alternated pairs, medians`,
    '',
    '| | service | floor |',
    '|---|---:|---:|',
    `| this process, us | ${fixed(middle((p) => p.service.parentUs))} | ${fixed(middle((p) => p.floor.parentUs))} |`,
    `| ClickHouse, us | ${fixed(middle((p) => p.service.childUs))} | ${fixed(middle((p) => p.floor.childUs))} |`,
    `| together, us | ${fixed(middle((p) => p.service.totalUs))} | ${fixed(middle((p) => p.floor.totalUs))} |`,
    `| acknowledged, events/s | ${whole(middle((p) => p.service.eventsPerSecond))} | ${whole(middle((p) => p.floor.eventsPerSecond))} |`,
    `| scored (parsed), events/s | ${whole(middle((p) => p.service.throughPerSecond))} | ${whole(middle((p) => p.floor.throughPerSecond))} |`,
    '',
    `Ratio: **${ratio.toFixed(2)}** (${(ratios[0] ?? 0).toFixed(2)} to ${(ratios.at(-1) ?? 0).toFixed(2)}). The floor ` +
      'parses the same bytes and inserts them into a ClickHouse of the same build in blocks of 10,000; both over HTTP, ' +
      'closed loop at saturation.',
    '',
  ];
}

function stageLines({ rows, totalUs, gcUs, cpuShare, eventsPerSecond, bytesPerEvent }: Stages): string[] {
  return [
    '| stage | us/event | share |',
    '|---|---:|---:|',
    ...rows.map(({ stage, us }) => `| ${stage} | ${fixed(us)} | ${((100 * us) / totalUs).toFixed(0)} % |`),
    `| **together** | **${fixed(totalUs)}** | |`,
    '',
    `${bytesPerEvent} bytes an event on the wire, ${whole(eventsPerSecond)} events/s acknowledged with the timers in. ` +
      `Collecting garbage on the main thread took ${fixed(gcUs)} us of it, spread over the stages. The main thread got the processor for ` +
      `${(100 * cpuShare).toFixed(0)} % of the time in which it had work; stage times are scaled by that.`,
    '',
  ];
}

function checkLines(checks: NonNullable<Results['checks']>, misses: string[]): string[] {
  const { idle, busy, idleCommands, busyCommands, perSecond, pacedUs, pacedFloorUs } = checks;
  if (busy.p99Ms > GOAL.checkMs) {
    misses.push(`\`check\` at half load has a p99 of ${fixed(busy.p99Ms)} ms; the goal is ${GOAL.checkMs} ms.`);
  }
  const row = (name: string, { p50Ms, p99Ms, worstMs, count, timedOut }: Latency) =>
    `| ${name} | ${fixed(p50Ms)} | ${fixed(p99Ms)} | ${fixed(worstMs)} | ${count} | ${timedOut} |`;
  return [
    '## Latency of `check`, over HTTP with the log committed, ms',
    '',
    '| | p50 | p99 | worst | calls | past the deadline |',
    '|---|---:|---:|---:|---:|---:|',
    row('idle', idle),
    row(`at half of the most, ${whole(perSecond)} events/s`, busy),
    '',
    `At that pace an event costs ${fixed(pacedUs)} us, the floor ${fixed(pacedFloorUs)} us: ratio ` +
      `${(pacedUs / pacedFloorUs).toFixed(2)} (requests of 64 events over four emitters; the floor sends what it has to ` +
      'ClickHouse every second, the service every five).',
    '',
    '## From a decisive event to its command at a subscribed gateway, ms',
    '',
    'A prohibited tool was executed: incident, revocation, both committed, then sent.',
    '',
    '| | p50 | p99 | worst | events |',
    '|---|---:|---:|---:|---:|',
    ...[
      { name: 'idle', of: idleCommands },
      { name: 'at half of the most', of: busyCommands },
    ].map(
      ({ name, of }) => `| ${name} | ${fixed(of.p50Ms)} | ${fixed(of.p99Ms)} | ${fixed(of.worstMs)} | ${of.count} |`,
    ),
    '',
  ];
}

function growthLines({ agents, detectors }: NonNullable<Results['growth']>, misses: string[]): string[] {
  const row = (name: string, { few, many, fewUs, manyUs }: Growth, goal: number) => {
    const ratio = manyUs / fewUs;
    if (ratio > goal)
      misses.push(
        `CPU an event with ${whole(many)} ${name} is ${ratio.toFixed(2)} times that with ${few}; the goal is ${goal}.`,
      );
    return `| ${whole(many)} ${name} / ${few} | ${fixed(manyUs)} | ${fixed(fewUs)} | ${ratio.toFixed(2)} |`;
  };
  return [
    '## Growth',
    '',
    '| | us/event with many | with few | ratio |',
    '|---|---:|---:|---:|',
    row('active agents', agents, GOAL.overAgents),
    row('detectors', detectors, GOAL.overDetectors),
    '',
    `The design asks for 100,000 agents; ${whole(agents.many)} is what fits into a run of minutes, with one session of each measured.`,
    '',
  ];
}

function memoryLines(memory: NonNullable<Results['memory']>, misses: string[]): string[] {
  const { perActiveAgent, perOpenSession, sessions } = memory;
  if (perActiveAgent.residentBytes > GOAL.agentBytes) {
    misses.push(`An active agent takes ${whole(perActiveAgent.residentBytes)} bytes; the goal is ${GOAL.agentBytes}.`);
  }
  if (perOpenSession.residentBytes > GOAL.sessionBytes) {
    misses.push(
      `An open session takes ${whole(perOpenSession.residentBytes)} bytes; the goal is ${GOAL.sessionBytes}.`,
    );
  }
  const row = (name: string, { heapBytes, residentBytes }: Bytes) =>
    `| ${name} | ${whole(heapBytes)} | ${whole(residentBytes)} |`;
  return [
    '## Memory of scoring, bytes',
    '',
    '| per additional | heap | resident |',
    '|---|---:|---:|',
    row(
      'active agent: 12 tools, 30 transitions, 40 targets, its last 8 sessions, its share of the pool',
      perActiveAgent,
    ),
    row(`open session of 8 observations (${whole(sessions)} were open)`, perOpenSession),
    '',
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

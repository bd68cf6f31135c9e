import type { Takeover } from './cluster-restore.js';
import type { SideCost } from './cluster-side.js';
import type { PeerAnswer } from './peer-answer.js';

/** Everything that bench/cluster.ts measured; this is also its JSON. */
export interface ClusterResults {
  date: string;
  commit: string;
  node: string;
  machine: string;
  cores: number;
  loadAverage: number;
  /** Observations of the measured part, and records with their content. */
  events: number;
  records: number;
  agents: number;
  partitions: number;
  runs: number;
  /** Runs, by what ran. */
  costs: Record<string, SideCost[]>;
  peer: { expected: PeerAnswer; answers: { name: string; answer: PeerAnswer }[] };
  latencies: LatencyRow[];
  takeovers: Takeover[];
}

export interface LatencyRow {
  what: string;
  /** Observations a second meanwhile. */
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  worstMs: number;
  count: number;
  /** Answered by the deadline, because scoring had not answered. */
  timedOut: number;
}

/** A readable page, which is also a section of bench/RESULTS.md. */
export function clusterReport(results: ClusterResults): string {
  const { date, commit, node, machine, loadAverage, events, records, agents, partitions } = results;
  const lines = [
    '# Over Kafka: one, two and four workers, and a Kafka Streams job beside them',
    '',
    `Printed by \`npm run bench -- cluster --write\` on ${date} at commit ${commit}, Node ${node}, ${machine}, load ` +
      `average ${loadAverage.toFixed(1)} before the start. One broker of Kafka 4.1.1 on the same machine, ${partitions} ` +
      `partitions, one replica, acks=all. ${whole(events)} observations of ${agents} known agents a run, ` +
      `${whole(records)} records with their content; the topic is filled while the side stands still.`,
    '',
  ];
  if (Object.keys(results.costs).length > 0) lines.push(...costLines(results), ...peerLines(results));
  if (results.latencies.length > 0) lines.push(...latencyLines(results.latencies));
  if (results.takeovers.length > 0) lines.push(...takeoverLines(results.takeovers));
  return lines.join('\n');
}

function costLines({ costs, runs, cores }: ClusterResults): string[] {
  const middle = (of: readonly SideCost[], pick: (cost: SideCost) => number) => median(of.map(pick));
  return [
    `## Cost, medians of ${runs} alternated run${runs === 1 ? '' : 's'}`,
    '',
    '| | events/s | own us/event | ClickHouse us/event | broker us/event | resident MiB |',
    '|---|---:|---:|---:|---:|---:|',
    ...Object.entries(costs).map(
      ([name, of]) =>
        `| ${name} | ${whole(middle(of, (c) => c.eventsPerSecond))} (${range(of)}) | ${fixed(middle(of, (c) => c.ownUs))} ` +
        `| ${fixed(middle(of, (c) => c.storeUs))} | ${fixed(middle(of, (c) => c.brokerUs))} ` +
        `| ${whole(middle(of, (c) => c.residentBytes / 2 ** 20))} |`,
    ),
    '',
    'CPU of all processes of a side, from /proc, until everything is durable: scored, stored and published, or committed. ' +
      `This machine has ${cores} cores, which the broker, the workers and each worker's own ClickHouse share: more ` +
      'workers than cores cannot be faster here, and what they cost more is what sharing costs (a process, a ClickHouse ' +
      'and a member of the group each). A deployment has one ClickHouse for all.',
    '',
  ];
}

function peerLines({ peer, costs }: ClusterResults): string[] {
  const { expected, answers } = peer;
  if (answers.length === 0) return [];
  const wrong = answers.filter(({ answer }) => !isEqual(answer, expected));
  const best = (prefix: RegExp) =>
    Object.entries(costs)
      .filter(([name]) => prefix.test(name))
      .map(([, of]) => median(of.map(({ totalUs }) => totalUs)))
      .toSorted((a, b) => a - b)[0];
  const [own, streams] = [best(/worker/), best(/two tables/)];
  return [
    `The job's answer (${whole(expected.windows)} minutes, ${whole(expected.calls)} calls, ${whole(expected.newTools)} new tools, ` +
      `${expected.flagged} flagged) is reckoned once more by other code: ` +
      (wrong.length === 0
        ? 'equal in every run.'
        : `**not equal** in ${wrong.length} of ${answers.length} runs: ${wrong.map(({ name, answer }) => `${name} ${JSON.stringify(answer)}`).join('; ')}.`),
    '',
    ...(own === undefined || streams === undefined
      ? []
      : [`At its cheapest a worker costs ${(own / streams).toFixed(1)} times the joined job at its cheapest.`, '']),
    'The job does less: it joins only by agent and minute, not by session, call and trace; it does not de-duplicate by ' +
      "event id; the newest event moves time for the whole partition, so one emitter's wrong clock closes everybody's " +
      'minutes; its mean can be walked by any traffic; it scores no single event, and has no detectors, risk, incidents, ' +
      'commands, `check`, explanations, storing or content. It answers when the minute is over; the event lane answers ' +
      'while the call waits. What it does more: a late event within the grace is in the one final result, where Parallax ' +
      'gives a revision.',
    '',
  ];
}

function latencyLines(rows: readonly LatencyRow[]): string[] {
  return [
    '## Latency, ms',
    '',
    '| | observations/s meanwhile | p50 | p99 | worst | count | past the deadline |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...rows.map(
      ({ what, perSecond, p50Ms, p99Ms, worstMs, count, timedOut }) =>
        `| ${what} | ${perSecond} | ${fixed(p50Ms)} | ${fixed(p99Ms)} | ${fixed(worstMs)} | ${count} | ${timedOut} |`,
    ),
    '',
    'A bare round trip: produced with acks=all and consumed, nothing else. A `check` is one (its attempt goes through the ' +
      'log to the owner), with HTTP before it, and a second HTTP request where another node was asked. A command is ' +
      "three: the event, the effect into the partition's state, the effect to all nodes.",
    '',
  ];
}

function takeoverLines(takeovers: readonly Takeover[]): string[] {
  return [
    '## Taking partitions over',
    '',
    '| | partitions | from | until scored, ms | entries read | MiB read |',
    '|---|---:|---|---:|---:|---:|',
    ...takeovers.map(
      ({ what, partitions, from, tookMs, entries, bytes }) =>
        `| ${what} | ${partitions} | ${from} | ${whole(tookMs)} | ${whole(entries)} | ${fixed(bytes / 2 ** 20)} |`,
    ),
    '',
  ];
}

function isEqual(a: PeerAnswer, b: PeerAnswer): boolean {
  const names = ['observations', 'calls', 'newTools', 'reasoning', 'windows', 'flagged'] as const;
  return names.every((name) => a[name] === b[name]);
}

function range(of: readonly SideCost[]): string {
  const rates = of.map(({ eventsPerSecond }) => eventsPerSecond);
  return `${whole(Math.min(...rates))} to ${whole(Math.max(...rates))}`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

import type { Observation } from '../../src/model/observation.js';

/** What bench/peers/kafka-streams counts. */
export interface PeerAnswer {
  observations: number;
  calls: number;
  newTools: number;
  reasoning: number;
  /** Minutes of agents that are over. */
  windows: number;
  flagged: number;
}

const WINDOW_MS = 60_000;
/** As in AgentRates.java and Usual.java. */
const GRACE_MS = 5_000;
const KNOWN_WINDOWS = 10;
const LIMIT = 4;
const LEAST_DEVIATION = 1;

interface Tally {
  calls: number;
  newTools: number;
  reasoning: number;
}

/**
 * The same answer as the Kafka Streams job's, reckoned in one go from the whole input: what the job is checked against.
 * No event of the input may be later than the grace.
 *
 * @param partitionOf the partition that an observation is in; each has an event time of its own
 */
export function peerAnswer(
  observations: readonly Observation[],
  partitionOf: (observation: Observation) => number,
): PeerAnswer {
  const answer = { observations: observations.length, calls: 0, newTools: 0, reasoning: 0, windows: 0, flagged: 0 };
  const known = new Set<string>();
  const newest = new Map<number, number>();
  const agents = new Map<string, { partition: number; tallies: Map<number, Tally> }>();
  for (const observation of observations) {
    const isCall = observation.kind === 'tool_call';
    if (!isCall && observation.stream !== 'reasoning') continue;
    const { tenant, agentId, time } = observation;
    const partition = partitionOf(observation);
    newest.set(partition, Math.max(newest.get(partition) ?? 0, time));
    const name = `${tenant}\0${agentId}`;
    const agent = agents.get(name) ?? { partition, tallies: new Map<number, Tally>() };
    agents.set(name, agent);
    const start = time - (time % WINDOW_MS);
    const tally = agent.tallies.get(start) ?? { calls: 0, newTools: 0, reasoning: 0 };
    agent.tallies.set(start, tally);
    if (!isCall) {
      answer.reasoning++;
      tally.reasoning++;
      continue;
    }
    answer.calls++;
    tally.calls++;
    const tool = `${name}\0${observation.tool}`;
    if (known.has(tool)) continue;
    known.add(tool);
    answer.newTools++;
    tally.newTools++;
  }
  for (const { partition, tallies } of agents.values()) {
    const over = (newest.get(partition) ?? 0) - GRACE_MS;
    const closed = [...tallies].filter(([start]) => start + WINDOW_MS <= over).sort(([a], [b]) => a - b);
    answer.windows += closed.length;
    answer.flagged += flaggedOf(closed.map(([, tally]) => tally));
  }
  return answer;
}

function flaggedOf(tallies: readonly Tally[]): number {
  let [windows, mean, squares, flagged] = [0, 0, 0, 0];
  for (const { calls, newTools, reasoning } of tallies) {
    const limit = mean + LIMIT * Math.max(LEAST_DEVIATION, Math.sqrt(squares / Math.max(1, windows)));
    const deviates = calls > limit || newTools > 0 || (calls > 0 && reasoning === 0);
    if (windows >= KNOWN_WINDOWS && deviates) flagged++;
    const away = calls - mean;
    windows++;
    mean += away / windows;
    squares += away * (calls - mean);
  }
  return flagged;
}

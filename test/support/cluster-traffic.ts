import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf } from '../../src/kafka/partitioner.js';
import type { Speaker } from '../../src/sources/recorded-session.js';
import type { WireObservation } from '../../src/model/wire.js';
import type { TestCluster } from './cluster.js';
import { spread, storedId, timeMoves, type Said } from './session-traffic.js';
import { syntheticSession } from './synthetic-sessions.js';

const DAY_MS = 86_400_000;
/** Event time between the beginnings of two sessions of a partition, ms. */
const STEP_MS = 300_000;
/** Sessions of a partition that are told of together. */
const GROUP = 8;
/** A node that answers nothing for so long is given up, and another one asked, ms. */
const ANSWER_MS = 5_000;
const RETRY_MS = 50;

/**
 * Settings under which two runs of the same input decide the same. Event time alone moves them: emitters of a partition
 * differ by hours at most and the watermark waits for twelve, nobody acknowledges and nothing expires meanwhile, and what
 * counts commands by wall-clock minutes, or contained agents of a node that leads, is out of the way.
 */
export const SETTINGS_OF_FAULT_RUNS = {
  mode: 'act',
  join: { outOfOrderMs: DAY_MS / 2, idleMs: 30 * DAY_MS },
  detection: { falseAlarmBudget: 0.05 },
  respond: {
    acknowledgeMs: 30 * DAY_MS,
    caps: { commandsPerMinute: 1_000_000, maxContainedShare: 1, minContainedAgents: 1_000 },
    'freeze-tool': { toolSessions: 2, containMs: 30 * DAY_MS, proposalMs: 30 * DAY_MS },
    'revoke-session': { severity: 'low', containMs: 30 * DAY_MS, proposalMs: 30 * DAY_MS },
    'suspend-agent': { containMs: 30 * DAY_MS, proposalMs: 30 * DAY_MS },
  },
};

export interface TrafficOptions {
  partitions: number;
  agentsPerPartition: number;
  /** Sessions of each partition in each phase; each has about 8 observations. The first is for learning. */
  sessions: readonly number[];
  /** Every so manieth of those after the first phase is hijacked. */
  hijackedEvery?: number;
}

/** One emitter's batch of one partition. */
interface Batch {
  speaker: Speaker;
  observations: WireObservation[];
}

/** What is sent in one phase: by partition, in the order in which each gets it. */
export type Lanes = readonly (readonly Batch[])[];

/** The same options always give the same traffic. @returns one after the other, in event time too */
export function makeTraffic(options: TrafficOptions): Lanes[] {
  const { partitions, agentsPerPartition, sessions, hijackedEvery = 9 } = options;
  const agents = agentsByPartition(partitions, agentsPerPartition);
  let startMs = Date.parse('2026-01-05T00:00:00Z');
  return sessions.map((count, phase) => {
    const endMs = startMs + count * STEP_MS + DAY_MS;
    const lanes = agents.map((own, partition) => {
      const made = Array.from({ length: count }, (_, n) =>
        syntheticSession(phase * 100_000 + n, {
          agentId: own[n % own.length] ?? '',
          startMs: 0,
          hijacked: phase > 0 && n % hijackedEvery === hijackedEvery - 1,
        }),
      );
      const placed = spread(made, startMs, STEP_MS).map(({ said }) => said);
      const groups = Array.from({ length: Math.ceil(count / GROUP) }, (_, i) =>
        placed.slice(i * GROUP, (i + 1) * GROUP),
      );
      return [...groups, [movesOf(endMs, partition, own[0] ?? '')]].flatMap(interleaved);
    });
    startMs = endMs + DAY_MS;
    return lanes;
  });
}

/** Ids of everything in these phases as they are stored, sorted. */
export function idsOfTraffic(phases: readonly Lanes[]): string[] {
  return phases
    .flat(2)
    .flatMap(({ speaker, observations }) => observations.map((observation) => storedId({ speaker, observation })))
    .sort();
}

/** Event time is each partition's own: what moves it on is told of an agent there. */
function movesOf(timeMs: number, partition: number, agentId: string): Said[] {
  return timeMoves(timeMs).map(({ speaker, observation }) => ({
    speaker,
    observation: { ...observation, id: `${observation.id}-${partition}`, agentId },
  }));
}

function agentsByPartition(partitions: number, each: number): string[][] {
  const agents: string[][] = Array.from({ length: partitions }, () => []);
  for (let n = 0; agents.some(({ length }) => length < each); n++) {
    const agent = `agent-${n}`;
    const own = agents[partitionOf('default', agent, partitions)];
    if (own !== undefined && own.length < each) own.push(agent);
  }
  return agents;
}

/** Several sessions side by side, each in its own order, as batches of one emitter. */
function interleaved(sessions: readonly (readonly Said[])[]): Batch[] {
  const places = sessions.map(() => 0);
  const batches: Batch[] = [];
  for (;;) {
    const round = new Map<Speaker, WireObservation[]>();
    for (const [i, session] of sessions.entries()) {
      const speaker = session[places[i] ?? 0]?.speaker;
      if (speaker === undefined) continue;
      const batch = round.get(speaker) ?? [];
      round.set(speaker, batch);
      for (;;) {
        const next = session[places[i] ?? 0];
        if (next?.speaker !== speaker) break;
        batch.push(next.observation);
        places[i] = (places[i] ?? 0) + 1;
      }
    }
    if (round.size === 0) return batches;
    for (const [speaker, observations] of round) batches.push({ speaker, observations });
  }
}

/**
 * Sends each partition's batches one after the other, the next after the one before was acknowledged, to any node that
 * answers. So all runs of the same traffic put the same records in the same order into each partition, and differ in what
 * arrives again.
 */
export class Sender {
  readonly #cluster: TestCluster;
  readonly #lanes: Lanes;
  /** How far the lanes may go, of 1. */
  #limit = 1;
  #opened: (() => void)[] = [];
  #turn = 0;
  sent = 0;
  /** Tries that were not acknowledged, by reason. */
  readonly failures: Record<string, number> = {};

  constructor(cluster: TestCluster, lanes: Lanes) {
    this.#cluster = cluster;
    this.#lanes = lanes;
  }

  /** Lets no lane go further than this share of it, until it is said again. */
  allow(share: number): void {
    this.#limit = share;
    for (const open of this.#opened.splice(0)) open();
  }

  /** Resolves when everything was acknowledged. @param pauseMs between two batches of a partition */
  async run(pauseMs: () => number = () => 0): Promise<void> {
    await Promise.all(
      this.#lanes.map(async (lane) => {
        for (const [i, batch] of lane.entries()) {
          while (i > this.#limit * lane.length) await new Promise<void>((resolve) => this.#opened.push(resolve));
          await this.#deliver(batch);
          const pause = pauseMs();
          if (pause > 0) await sleep(pause);
        }
      }),
    );
  }

  async #deliver(batch: Batch): Promise<void> {
    for (;;) {
      const { nodes } = this.#cluster;
      const node = nodes[this.#turn++ % nodes.length];
      const failure = node === undefined ? 'no node' : await post(node, batch);
      if (failure === undefined) break;
      this.failures[failure] = (this.failures[failure] ?? 0) + 1;
      await sleep(RETRY_MS);
    }
    this.sent += batch.observations.length;
  }
}

/** @returns why it was not acknowledged; undefined when it was */
async function post(node: TestCluster['nodes'][number], batch: Batch): Promise<string | undefined> {
  const { service, setup } = node;
  try {
    const response = await fetch(`${service.url}/v1/observations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${setup.keys[batch.speaker]}`, 'content-type': 'application/json' },
      body: JSON.stringify(batch.observations),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const text = await response.text();
    if (response.status === 429 || response.status === 503) return String(response.status);
    if (!response.ok) throw new Error(`not acknowledged: ${response.status} ${text}`);
    const { accepted, refused } = JSON.parse(text) as { accepted: number; refused: unknown[] };
    if (accepted !== batch.observations.length || refused.length > 0) throw new Error(`refused: ${text}`);
    return undefined;
  } catch (error) {
    if (error instanceof TypeError) return 'no connection';
    if (error instanceof DOMException && error.name === 'TimeoutError') return 'no answer';
    throw error;
  }
}

import { outOfFold, type Calibrating } from './calibration.js';
import type { RequestGroup, PastSession } from './history.js';
import type { OutOfFold } from './threshold.js';

/** A calibration that is under way; plain data, small, and written with every checkpoint until it is through. */
export interface Sweep {
  /** Sessions learned by the tenant when it began. */
  learnedSessions: number;
  agents: string[];
  /** By group: place of its agent in `agents`, and where its sessions end in `serials`. */
  agentOf: Uint32Array;
  ends: Uint32Array;
  serials: Uint32Array;
  /** The next group. */
  next: number;
  /** Risk of each session, nats; NaN where it was not scored. */
  risks: Float64Array;
}

export function sweepOf(groups: readonly RequestGroup[], learnedSessions: number): Sweep {
  const agents = [...new Set(groups.map(({ agentId }) => agentId))];
  const placeOf = new Map(agents.map((agentId, place) => [agentId, place]));
  const serials = groups.flatMap((group) => group.serials);
  let end = 0;
  return {
    learnedSessions,
    agents,
    agentOf: Uint32Array.from(groups, ({ agentId }) => placeOf.get(agentId) ?? 0),
    ends: Uint32Array.from(groups, (group) => (end += group.serials.length)),
    serials: Uint32Array.from(serials),
    next: 0,
    risks: new Float64Array(serials.length).fill(Number.NaN),
  };
}

export interface Sweeping {
  /** What scores an agent; undefined where the agent has gone. */
  from: (agentId: string) => Calibrating | undefined;
  past: (agentId: string, serial: number) => PastSession | undefined;
}

/**
 * Scores the next groups of sessions, against the baselines as they are now, until at least so many sessions are
 * done. What has gone since the sweep began is passed over.
 *
 * @returns whether it is through
 */
export function advance(sweep: Sweep, sessions: number, { from, past }: Sweeping): boolean {
  for (let done = 0; done < sessions && sweep.next < sweep.ends.length; sweep.next++) {
    const begin = sweep.ends[sweep.next - 1] ?? 0;
    const end = sweep.ends[sweep.next] ?? begin;
    done += end - begin;
    const agentId = sweep.agents[sweep.agentOf[sweep.next] ?? 0] ?? '';
    const calibrating = from(agentId);
    if (calibrating === undefined) continue;
    const members: PastSession[] = [];
    for (let at = begin; at < end; at++) {
      const session = past(agentId, sweep.serials[at] ?? 0);
      if (session !== undefined) members.push(session);
    }
    sweep.risks.set(outOfFold(members, calibrating), begin);
  }
  return sweep.next >= sweep.ends.length;
}

/** One sample per scored session. */
export function samplesOf({ agents, agentOf, ends, risks }: Sweep): OutOfFold[] {
  const samples: OutOfFold[] = [];
  let at = 0;
  ends.forEach((end, group) => {
    const agentId = agents[agentOf[group] ?? 0] ?? '';
    for (; at < end; at++) {
      const risk = risks[at] ?? Number.NaN;
      if (!Number.isNaN(risk)) samples.push({ agentId, group: String(group), risk });
    }
  });
  return samples;
}

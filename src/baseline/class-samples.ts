import type { OutOfFold } from './threshold.js';

/** Out-of-fold scores of some agents' clean sessions: what thresholds rest on. Agents and groups by number. */
export interface ClassSamples {
  /** By group of one agent's sessions with the same request: number of its agent, and where its samples end in `risks`. */
  agentOf: Uint32Array;
  ends: Uint32Array;
  /** Highest risk of each session, nats. */
  risks: Float64Array;
}

/** What a calibration rested on, with the agents' names; plain data. */
export interface NamedSamples extends ClassSamples {
  agents: string[];
}

export const NO_SAMPLES: ClassSamples = {
  agentOf: new Uint32Array(0),
  ends: new Uint32Array(0),
  risks: new Float64Array(0),
};

/** @param samples of one group next to each other */
export function namedSamples(samples: readonly OutOfFold[]): NamedSamples {
  const agents = new Map<string, number>();
  const agentOf: number[] = [];
  const ends: number[] = [];
  let latest: string | undefined;
  for (const [at, { agentId, group }] of samples.entries()) {
    if (group !== latest) {
      if (!agents.has(agentId)) agents.set(agentId, agents.size);
      agentOf.push(agents.get(agentId) ?? 0);
      ends.push(at);
      latest = group;
    }
    ends[ends.length - 1] = at + 1;
  }
  return {
    agents: [...agents.keys()],
    agentOf: Uint32Array.from(agentOf),
    ends: Uint32Array.from(ends),
    risks: Float64Array.from(samples, ({ risk }) => risk),
  };
}

/** As samples again. @param nameOf name of an agent by number; groups are told apart within it */
export function outOfFoldOf({ agentOf, ends, risks }: ClassSamples, nameOf: (agent: number) => string): OutOfFold[] {
  const samples: OutOfFold[] = [];
  let at = 0;
  ends.forEach((end, group) => {
    const agentId = nameOf(agentOf[group] ?? 0);
    for (; at < end; at++) samples.push({ agentId, group: `${agentId}/${group}`, risk: risks[at] ?? 0 });
  });
  return samples;
}

/** Only groups of some agents, at most so many samples; no group is cut. */
export function someSamples(from: ClassSamples, isMeant: (agent: number) => boolean, most: number): ClassSamples {
  const agentOf: number[] = [];
  const ends: number[] = [];
  const risks: number[] = [];
  from.ends.forEach((end, group) => {
    const begin = group === 0 ? 0 : (from.ends[group - 1] ?? 0);
    const agent = from.agentOf[group] ?? 0;
    if (!isMeant(agent) || risks.length + end - begin > most) return;
    for (let at = begin; at < end; at++) risks.push(from.risks[at] ?? 0);
    agentOf.push(agent);
    ends.push(risks.length);
  });
  return { agentOf: Uint32Array.from(agentOf), ends: Uint32Array.from(ends), risks: Float64Array.from(risks) };
}

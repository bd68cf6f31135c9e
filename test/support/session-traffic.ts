import { SPEAKERS, readRecordedSteps, type Speaker } from '../../src/sources/recorded-session.js';
import type { WireObservation } from '../../src/model/wire.js';

/** One observation, and who says it. */
export interface Said {
  speaker: Speaker;
  observation: WireObservation;
}

/** One session as its four emitters report it, in order. */
export interface Session {
  sessionId: string;
  said: Said[];
}

export const ALL_SPEAKERS: readonly Speaker[] = ['agent-runtime', 'gateway', 'governance', 'platform'];

/** The sessions of a recording, in order of their beginning. */
export async function recordedSessions(file: string): Promise<Session[]> {
  const sessions = new Map<string, Session>();
  for await (const { event, speaker, observations } of readRecordedSteps(file)) {
    const session = sessions.get(event.sessionId) ?? { sessionId: event.sessionId, said: [] };
    sessions.set(event.sessionId, session);
    for (const observation of observations) session.said.push({ speaker, observation });
  }
  return [...sessions.values()];
}

/**
 * Moves sessions so that they begin at equal distances. The times of the recordings are made up anyway; equal
 * distances say how far apart in event time two sessions may be that are sent at the same moment.
 */
export function spread(sessions: readonly Session[], startMs: number, stepMs: number): Session[] {
  return sessions.map(({ sessionId, said }, i) => {
    const first = timeOf(said[0]?.observation.time ?? 0);
    const shift = startMs + i * stepMs - first;
    return {
      sessionId,
      said: said.map(({ speaker, observation }) => ({
        speaker,
        observation: { ...observation, time: timeOf(observation.time) + shift },
      })),
    };
  });
}

/** Four observations of nobody's session, one of each emitter: they move event time on, so that what is open ends. */
export function timeMoves(timeMs: number): Said[] {
  const base = { time: timeMs, agentId: 'agent-clock' };
  const id = (speaker: Speaker) => `clock-${speaker}-${timeMs}`;
  return [
    {
      speaker: 'governance',
      observation: { ...base, id: id('governance'), stream: 'governance', kind: 'posture_change' },
    },
    {
      speaker: 'agent-runtime',
      observation: { ...base, id: id('agent-runtime'), stream: 'reasoning', kind: 'message' },
    },
    {
      speaker: 'gateway',
      observation: { ...base, id: id('gateway'), stream: 'action', kind: 'tool_result', tool: 'clock', resultClass: 0 },
    },
    {
      speaker: 'platform',
      observation: { ...base, id: id('platform'), stream: 'metric', kind: 'sample', values: { ticks: 1 } },
    },
  ];
}

/** Id under which the observer keeps what a speaker sent. */
export function storedId({ speaker, observation }: Said): string {
  return `${speaker}/${observation.id ?? ''}`;
}

export interface SendOptions {
  /** Sends one emitter's batch and resolves when it is acknowledged. */
  post: (speaker: Speaker, observations: WireObservation[]) => Promise<void>;
  /** Sessions that are told of together. */
  groupSize: number;
  /** Groups under way at the same time. */
  inFlight: number;
}

/**
 * Sends sessions as emitters do: several batches at a time, each with observations of several sessions, but the next
 * batch of a session only after the one before it was acknowledged. A group begins only when the one `inFlight`
 * places before it is through, so event times of what is under way never differ by more than that.
 */
export async function sendSessions(sessions: readonly Session[], options: SendOptions): Promise<void> {
  const { groupSize, inFlight, post } = options;
  const through: Promise<void>[] = [];
  for (let at = 0; at < sessions.length; at += groupSize) {
    const group = sessions.slice(at, at + groupSize);
    const before = Promise.all(through.slice(0, Math.max(0, through.length - inFlight + 1)));
    through.push(before.then(() => sendGroup(group, post)));
  }
  await Promise.all(through);
}

async function sendGroup(group: readonly Session[], post: SendOptions['post']): Promise<void> {
  const places = group.map(() => 0);
  for (;;) {
    const batches = new Map<Speaker, WireObservation[]>();
    for (const [i, { said }] of group.entries()) {
      const speaker = said[places[i] ?? 0]?.speaker;
      if (speaker === undefined) continue;
      const batch = batches.get(speaker) ?? [];
      batches.set(speaker, batch);
      for (;;) {
        const next = said[places[i] ?? 0];
        if (next?.speaker !== speaker) break;
        batch.push(next.observation);
        places[i] = (places[i] ?? 0) + 1;
      }
    }
    if (batches.size === 0) return;
    await Promise.all([...batches].map(([speaker, batch]) => post(speaker, batch)));
  }
}

/** Key settings of the four emitters, for a configuration. */
export function speakerKeys(
  secretFile: (id: string) => string,
): { id: string; role: string; streams: string[]; secretFile: string }[] {
  return ALL_SPEAKERS.map((id) => ({
    id,
    role: SPEAKERS[id].role,
    streams: [SPEAKERS[id].stream],
    secretFile: secretFile(id),
  }));
}

function timeOf(time: number | string): number {
  return typeof time === 'number' ? time : Date.parse(time);
}

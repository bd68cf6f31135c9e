import { nextWork, type Agent } from './fleet.js';
import type { Random } from './random.js';
import { happeningsOf, type Happening, type Session } from './rhythm.js';

const DAY_MS = 24 * 60 * 60_000;
/** Each agent works two shifts a day, in event time. */
const SHIFTS_AT_MS = [9 * 60 * 60_000, 14 * 60 * 60_000];
const SHIFT_MS = 45 * 60_000;

export interface HistoryOptions {
  fleet: readonly Agent[];
  /** Days of work before the story begins. */
  days: number;
  /** Sessions of an ordinary agent in one shift, on average. */
  sessionsAShift: number;
  /** Event time at which the last day ends, epoch ms. */
  endMs: number;
  random: Random;
}

/** What the fleet did in the days before: one list of happenings a shift, each in order of time. */
export function makeHistory(options: HistoryOptions): Happening[][] {
  const { fleet, days, endMs, sessionsAShift, random } = options;
  const shifts: Happening[][] = [];
  for (let day = days; day > 0; day--) {
    for (const atMs of SHIFTS_AT_MS) {
      const startMs = endMs - day * DAY_MS + atMs;
      shifts.push(
        workOf({
          fleet,
          startMs,
          lastMs: SHIFT_MS - 5 * 60_000,
          sessionsEach: sessionsAShift,
          random,
          label: `d${day}-${shifts.length % 2}`,
        }),
      );
    }
  }
  return shifts;
}

interface WorkOptions {
  fleet: readonly Agent[];
  /** Event time, epoch ms. */
  startMs: number;
  /** Sessions begin within this time, ms. */
  lastMs: number;
  /** Sessions of an ordinary agent, on average. */
  sessionsEach: number;
  random: Random;
  /** Makes the sessions' ids unique. */
  label: string;
}

/** Ordinary sessions of the fleet, merged in order of time. An agent does one thing after the other. */
function workOf({ fleet, startMs, lastMs, sessionsEach, random, label }: WorkOptions): Happening[] {
  const out: Happening[] = [];
  for (const agent of fleet) {
    const wanted = sessionsEach * agent.pace;
    const count = Math.floor(wanted) + (random.chance(wanted % 1) ? 1 : 0);
    for (let i = 0; i < count; i++) {
      const slotMs = lastMs / count;
      const session = sessionOf(agent, {
        id: `${agent.id}-${label}-${i + 1}`,
        startMs: Math.round(startMs + slotMs * (i + 0.7 * random.next())),
        random,
      });
      out.push(...happeningsOf(session, random));
    }
  }
  return out.sort((a, b) => a.timeMs - b.timeMs);
}

/** One ordinary session of an agent. */
export function sessionOf(
  agent: Agent,
  { id, startMs, random }: { id: string; startMs: number; random: Random },
): Session {
  const { tools, thinkMs } = agent.kind;
  return { id, agentId: agent.id, startMs, plan: nextWork(agent, random), tools, thinkMs };
}

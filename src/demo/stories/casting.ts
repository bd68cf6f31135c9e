import type { Agent } from '../fleet.js';
import type { Random } from '../random.js';
import { happeningsOf, type Happening } from '../rhythm.js';
import type { PlannedCall, PlannedTurn } from '../session-plan.js';

/** One agent of a class for a part. @param isBusy one with a long history, or one with an ordinary one */
export function castOf(fleet: readonly Agent[], random: Random, agentClass: string, isBusy = false): Agent {
  return random.pick(fleet.filter(({ kind, pace }) => kind.name === agentClass && pace > 1 === isBusy));
}

/** One session of a star, as happenings. @param label makes the session's id */
export function playSession(
  agent: Agent,
  {
    startMs,
    turns,
    random,
    label,
    thinkMs,
  }: { startMs: number; turns: PlannedTurn[]; random: Random; label: string; thinkMs?: number },
): Happening[] {
  const { tools, thinkMs: usualMs } = agent.kind;
  const session = { id: `${agent.id}-${label}`, agentId: agent.id, startMs, plan: { turns }, tools };
  return happeningsOf({ ...session, thinkMs: thinkMs ?? usualMs }, random);
}

/** Whether a happening is this planned call. */
export function isCallOf(happening: Happening, planned: PlannedCall): boolean {
  return happening.speaker === 'gateway' && happening.planned === planned;
}

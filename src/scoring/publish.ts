import type { Turn } from './turn.js';

/** Publishes an agent's baseline as a version. @param time event time, epoch ms */
export function publish(turn: Turn, tenant: string, agentId: string, time: number): void {
  turn.emit(turn.parts.baselines.publish(tenant, agentId, time).map((value) => ({ type: 'baseline', value })));
}

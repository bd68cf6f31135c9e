import type { Turn } from './turn.js';

/** Publishes an agent's baseline as a version. @param time event time, epoch ms */
export function publish(turn: Turn, tenant: string, agentId: string, time: number): void {
  const rows = turn.parts.baselines.published.publish(tenant, agentId, time);
  turn.emit(rows.map((value) => ({ type: 'baseline', value })));
}

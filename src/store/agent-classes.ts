import type { StoreClient } from './client.js';

/** A class of agents, as dashboards see it. */
export interface AgentClassRow {
  agentClass: string;
  /** Ids of its agents, or beginnings of ids followed by `*`. */
  patterns: readonly string[];
  /** Share of clean sessions that may alarm. */
  budget: number;
}

/**
 * Writes the classes of the library in force, in the order in which they are asked for an agent. Nodes that start with
 * the same library write the same again.
 *
 * @param now epoch ms
 * @throws StoreError
 */
export async function storeAgentClasses(
  client: StoreClient,
  classes: readonly AgentClassRow[],
  now: number,
): Promise<void> {
  if (classes.length === 0) return;
  const rows = classes.map((row, place) => JSON.stringify({ ...row, place, writtenAt: now }));
  const body = Buffer.from(`${rows.join('\n')}\n`);
  await client.insert({ table: 'agent_classes', body, token: `agent-classes:${now}` });
}

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
 * Writes the classes of the library in force, in the order in which they are asked for an agent, and takes back those
 * that are not in it any more. Nodes that start with the same library write the same again.
 *
 * @param now epoch ms
 * @throws StoreError
 */
export async function storeAgentClasses(
  client: StoreClient,
  classes: readonly AgentClassRow[],
  now: number,
): Promise<void> {
  const held = await client.select<{ agentClass: string }>('SELECT agentClass FROM agent_classes_v');
  const named = new Set(classes.map(({ agentClass }) => agentClass));
  const gone = held.filter(({ agentClass }) => !named.has(agentClass));
  const rows = [
    ...classes.map(({ agentClass, patterns, budget }, place) => ({
      id: agentClass,
      place,
      patterns,
      budget,
      inForce: true,
      writtenAt: now,
    })),
    ...gone.map(({ agentClass }) => ({ id: agentClass, inForce: false, writtenAt: now })),
  ];
  const body = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await client.insert({ table: 'agent_classes', body, token: `agent-classes:${now}` });
}

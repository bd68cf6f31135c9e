import { expect, it } from 'vitest';
import { AgentPartitions } from '../../../../src/sources/kafka/agent-partitions.js';

it('notices an agent that comes from another partition of the same topic', () => {
  const agents = new AgentPartitions();
  const moved = [
    agents.note('calls', 'ann', 1),
    agents.note('calls', 'ann', 1),
    agents.note('words', 'ann', 2),
    agents.note('calls', 'bob', 3),
    agents.note('calls', 'ann', 4),
    agents.note('calls', 'ann', 4),
  ];
  expect(moved).toEqual([false, false, false, false, true, false]);
  expect(agents.moves).toBe(1);
});

it('takes no two agents for one, however many there are', () => {
  const agents = new AgentPartitions();
  for (let i = 0; i < 50_000; i++) agents.note('calls', `agent-${i}`, i % 12);
  expect(agents.moves).toBe(0);
});

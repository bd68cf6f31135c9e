import { expect, it } from 'vitest';
import { describeSources } from '../../../src/cli/doctor.js';

it('says what should be mended once, however many formats it shows in', () => {
  const now = 1_764_000_000_000;
  const late = { stream: 'action' as const, records: 9, lastSeen: now - 1_000, lagMs: 3_600_000 };
  const source = {
    principalId: 'gateway',
    lastSeen: now - 1_000,
    heard: [
      { ...late, format: 'native' },
      { ...late, format: 'check' },
    ],
    placedBy: {},
    refused: [],
    refusedInAll: 0,
    shed: [],
  };
  const lines = describeSources({ now, sources: [source], topics: [] })
    .trimEnd()
    .split('\n');
  expect(lines.filter((line) => line.includes('->'))).toEqual([
    '  -> its action stream comes 60 min late; let it export more often, or set its clock',
  ]);
  expect(lines.at(-1)).toBe('1 emitters, 1 with something to mend');
});

it('says of topics what waits where, and what should be mended', () => {
  const now = 1_764_000_000_000;
  const topics = {
    id: 'calls',
    principalId: 'gateway',
    groupId: 'parallax-source-calls',
    topics: ['agent.calls'],
    format: 'native',
    state: 'reading',
    partitions: [
      { topic: 'agent.calls', partition: 0, lag: 0 },
      { topic: 'agent.calls', partition: 1, lag: 7 },
    ],
    records: 90,
    refused: 2,
    unreadable: 0,
    lost: 0,
    strayed: 3,
    lastError: { time: now - 3_600_000, message: 'long ago' },
  };
  expect(
    describeSources({ now, sources: [], topics: [topics] })
      .trimEnd()
      .split('\n'),
  ).toEqual([
    'topics of calls (agent.calls) as native: reading, 90 records, group parallax-source-calls',
    '  2 partitions here, 7 records wait',
    '    agent.calls partition 1: 7 wait',
    '  -> 2 refused; the reasons stand at gateway, the records in dead_letters',
    '  -> 3 times an agent came from another partition than before, so its order may be lost; key by agent with one partitioner',
    '0 emitters, nothing to mend',
  ]);
  const failed = {
    ...topics,
    state: 'failed',
    refused: 0,
    strayed: 0,
    lastError: { time: now - 3_600_000, message: 'no topic' },
  };
  expect(describeSources({ now, sources: [], topics: [failed] })).toContain('  -> failed: no topic');
});

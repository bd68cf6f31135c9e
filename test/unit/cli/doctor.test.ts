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
  const lines = describeSources({ now, sources: [source] })
    .trimEnd()
    .split('\n');
  expect(lines.filter((line) => line.includes('->'))).toEqual([
    '  -> its action stream comes 60 min late; let it export more often, or set its clock',
  ]);
  expect(lines.at(-1)).toBe('1 emitters, 1 with something to mend');
});

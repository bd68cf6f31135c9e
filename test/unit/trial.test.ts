import { afterEach, describe, expect, it } from 'vitest';
import { openTrial, type Trial } from '../../src/trial.js';

describe('a trial', () => {
  let trial: Trial | undefined;
  afterEach(() => trial?.close());

  it('commits what it scored also when its clock leaps during a commit and then stands still', async () => {
    trial = openTrial({ startMs: Date.parse('2026-01-01T00:00:00Z') });
    const { core, feed, endSessions } = trial;
    for (let i = 0; i < 40; i++) {
      // Not waited for: the leap shall meet the commit of these.
      await feed([{ stream: 'reasoning', kind: 'prompt', time: i, agentId: 'a', sessionId: `s${i}`, text: 'Pay' }]);
      await endSessions();
    }
    expect(core.store.nextPosition).toBe(core.log.head + 1);
  });
});

import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { openCore } from '../../src/core.js';
import { ManualClock } from '../../src/lib/clock.js';
import type { Principal } from '../../src/model/principal.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const DAY_MS = 24 * 60 * 60_000;

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

it('commits what it scored also when its clock leaps during a commit and then stands still', async () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const core = openCore({
    config: { ...loadConfig(undefined, {}), dataDir: directory.path },
    clock,
    notice: () => {},
    failed: () => {},
    // One turn until scoring rests and commits, one more into the commit.
    scored: () => void setImmediate(() => setImmediate(() => clock.advance(DAY_MS))),
  });
  const runtime: Principal = {
    id: 'runtime',
    role: 'ingest',
    tenant: 't',
    streams: new Set(['reasoning']),
    agents: ['*'],
  };
  const value = { stream: 'reasoning', kind: 'prompt', time: 1, agentId: 'a', text: 'Pay' };
  await core.intake.accept([{ index: 0, value, bytes: 0 }], [], runtime);
  await core.settled();
  // This one waits for the rest after a commit that seems to have taken a day.
  await core.record({ type: 'tick', value: { now: clock.now() } });
  await core.settled();
  expect(core.scoring.effectsPosition).toBe(core.log.head + 1);
  await core.close();
});

it('can be closed in whatever turn of its reading it is', async () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'));
  const config = { ...loadConfig(undefined, {}), dataDir: directory.path };
  const failures: unknown[] = [];
  const open = () => openCore({ config, clock, notice: () => {}, failed: (error) => failures.push(error) });
  // The detector set is in the log: from here on nothing comes that would wake a reader.
  const first = open();
  await first.settled();
  await first.close();
  for (let turns = 0; turns < 6; turns++) {
    const core = open();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await core.close();
    expect(core.scoring.position).toBe(core.store.nextPosition);
  }
  expect(failures).toEqual([]);
});

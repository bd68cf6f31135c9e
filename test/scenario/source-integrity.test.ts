import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { openCore, type Core } from '../../src/core.js';
import { ManualClock } from '../../src/lib/clock.js';
import type { Config } from '../../src/config.js';
import type { Principal } from '../../src/model/principal.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const START = Date.parse('2026-03-02T09:00:00Z');
const KEYS: Config['keys'] = [
  { id: 'runtime', role: 'ingest', tenant: 't', streams: ['reasoning'], agents: ['team-*'], silentAfterMs: 60_000 },
];
const RUNTIME: Principal = {
  id: 'runtime',
  role: 'ingest',
  tenant: 't',
  streams: new Set(['reasoning', 'action']),
  agents: ['team-*'],
};

let directory: ReturnType<typeof temporaryDirectory>;
let clock: ManualClock;
let core: Core;

beforeEach(() => {
  directory = temporaryDirectory();
  clock = new ManualClock(START);
});

afterEach(async () => {
  await core.close();
  directory.remove();
});

function open(config: Partial<Config> = {}): void {
  core = openCore({
    config: { ...loadConfig(undefined, {}), keys: KEYS, ...config, dataDir: directory.path },
    clock,
    notice: () => {},
    failed: (error) => {
      throw error;
    },
  });
}

async function say(count: number, agentId = 'team-a') {
  const records = Array.from({ length: count }, (_, index) => ({
    index,
    value: { stream: 'reasoning', kind: 'message', time: clock.now(), agentId, text: `line ${index}` },
    bytes: 50,
  }));
  const report = await core.intake.accept(records, [], RUNTIME);
  await core.settled();
  return report;
}

const open_ = () => core.incidents.list({ tenant: 't', limit: 100 });

it('names an agent that a key may not speak for once, however often it tries', async () => {
  open();
  for (let i = 0; i < 20; i++) {
    expect((await say(50, 'stranger')).accepted).toBe(0);
    clock.advance(1_000);
  }
  expect(open_()).toHaveLength(1);
  expect(open_()[0]).toMatchObject({
    agentId: 'source/runtime',
    severity: 'high',
    emitters: ['runtime'],
    signals: [{ detectorId: 'source-integrity', tags: ['source-integrity', 'forged-agent'] }],
  });
  expect(open_()[0]?.title).toContain('stranger');
});

it('tells once that a stream is blinded by its quota, and what was shed', async () => {
  open({ quotas: { agentRecordsPerSecond: 10, burstSeconds: 1 } });
  for (let i = 0; i < 10; i++) {
    await say(100);
    clock.advance(1_000);
  }
  expect(open_()).toHaveLength(1);
  expect(open_()[0]?.title).toContain('of its reasoning stream were shed');
  expect(core.intake.counters().shed).toMatchObject([
    { principalId: 'runtime', stream: 'reasoning', observations: 900 },
  ]);
  expect(core.scoring.counters.observations).toBe(100);
});

it('names an emitter that falls silent, and says so once', async () => {
  open();
  await say(1);
  for (let second = 0; second < 300; second += 10) {
    clock.advance(10_000);
    await core.watchSources();
  }
  await core.settled();
  expect(open_()).toHaveLength(1);
  expect(open_()[0]?.title).toContain('nothing has come from runtime for');
});

it('is found again by whoever scores the same log', async () => {
  open({ quotas: { agentRecordsPerSecond: 10, burstSeconds: 1 } });
  await say(5, 'stranger');
  await say(100);
  clock.advance(120_000);
  await core.watchSources();
  await core.settled();
  const found = open_();
  expect(new Set(found.map(({ signals }) => signals[0]?.tags[1]))).toEqual(new Set(['forged-agent', 'shed', 'silent']));
  expect(found).toHaveLength(3);
  const records = core.log.read(core.log.tail, 10_000).map(({ type, data }) => ({ type, data: Buffer.from(data) }));
  await core.close();
  directory.remove();
  directory = temporaryDirectory();
  open();
  await core.log.append(records);
  await core.settled();
  expect(open_()).toEqual(found);
});

it('stays as it was found after a restart', async () => {
  open();
  await say(5, 'stranger');
  const before = open_();
  await core.close();
  clock.advance(1_000);
  open();
  await core.settled();
  expect(open_()).toEqual(before);
});

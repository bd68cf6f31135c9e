import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGatewayClient, type GatewayClient, type GatewayEvent } from '../../src/gateway/client.js';
import type { Command } from '../../src/model/command.js';
import type { Incident } from '../../src/model/incident.js';
import { statusOf, TestCluster, type TestNode } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { sharedKafka } from '../support/kafka/shared-kafka.js';
import { MailCatcher } from '../support/mail-catcher.js';
import { sendSessions, spread, timeMoves, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const kafka = await sharedKafka();

const AGENT = 'agent-office';
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const LEARNED = Date.now() - 3 * DAY_MS;
const NOW = Date.now() - DAY_MS;
const LIMIT_MS = 60_000;

describe.skipIf(kafka.missing !== undefined)('a cluster of two nodes over Kafka', () => {
  const directory = temporaryDirectory();
  const mail = new MailCatcher();
  const gateways: GatewayClient[] = [];
  let cluster: TestCluster;
  /** Records that a node took in which has stopped since. */
  let takenElsewhere = 0;
  /** Scores the agent, and does not. */
  let owner: TestNode;
  let other: TestNode;

  beforeAll(async () => {
    await mail.start();
    cluster = await TestCluster.open({
      directory: directory.path,
      brokers: kafka.brokers,
      partitions: 4,
      settings: {
        mode: 'act',
        join: { outOfOrderMs: 1_000, idleMs: DAY_MS },
        detection: { falseAlarmBudget: 0.05 },
        check: { deadlineMs: 20_000 },
        http: { heartbeatMs: 500 },
        respond: { acknowledgeMs: MINUTE_MS },
        notify: {
          mail: { host: '127.0.0.1', port: mail.port, secure: false, from: 'parallax@test', to: ['soc@test'] },
        },
      },
    });
    await Promise.all([cluster.add(), cluster.add()]);
    await cluster.assigned();
    const [first] = cluster.nodes;
    if (first === undefined) throw new Error('no node');
    await first.service.post('/v1/learning', { mode: 'vouched' });
    const sessions = Array.from({ length: 120 }, (_, n) => syntheticSession(n, { agentId: AGENT, startMs: 0 }));
    // Whoever sends takes any node.
    let turn = 0;
    const any = () => cluster.nodes[turn++ % cluster.nodes.length] ?? first;
    await sendSessions(spread(sessions, LEARNED, MINUTE_MS), {
      post: async (speaker, batch) => void (await any().service.observe(speaker, batch)),
      groupSize: 1,
      inFlight: 1,
    });
    // Event time is each partition's own: what moves it on must lie in the agent's.
    for (const { speaker, observation } of timeMoves(LEARNED + DAY_MS)) {
      await first.service.observe(speaker, [{ ...observation, agentId: AGENT }]);
    }
    await cluster.settled();
    await first.service.post('/v1/calibrate', {});
    await first.service.post('/v1/learning', { mode: 'frozen' });
    await cluster.settled();
    ({ owner, other } = await cluster.around(AGENT));
  }, 180_000);

  afterAll(async () => {
    for (const kit of gateways) await kit.close(0);
    await cluster?.close();
    await mail.stop();
    directory.remove();
  }, 60_000);

  it('shares the partitions out, and every node says who has which', async () => {
    const [a, b] = await Promise.all([statusOf(owner.service), statusOf(other.service)]);
    expect(Object.keys(a.partitions).length).toBe(2);
    expect(Object.keys(b.partitions).length).toBe(2);
    expect(a.cluster.owners).toEqual(b.cluster.owners);
    expect(new Set(Object.values(a.cluster.owners).map(({ nodeId }) => nodeId))).toEqual(new Set([owner.id, other.id]));
  });

  it('answers a check at any node, contains at any gateway, and lifts from anywhere', async () => {
    // The gateway hangs on the node that does not score the agent.
    const { kit, events } = gatewayOf(other);
    expect(await kit.subscribe()).toBe(true);
    const calm = syntheticSession(303, { agentId: AGENT, startMs: NOW });
    await begin(calm, 2);
    const passed = await kit.check(callOf(calm, 'send_money'));
    expect(passed).toMatchObject({ decision: 'allow', source: 'observer', timedOut: false });

    const hijacked = syntheticSession(306, { agentId: AGENT, startMs: NOW + MINUTE_MS, hijacked: true });
    await begin(hijacked, 8);
    const held = await kit.check(callOf(hijacked, 'delete_account'));
    expect(held).toMatchObject({ source: 'observer', timedOut: false });
    expect(['hold', 'deny']).toContain(held.decision);
    // Nothing of this agent is scored where it was asked.
    expect((await statusOf(other.service)).checks['answered']).toBe(0);

    await eventually('the revocation came', () => restricted(kit, hijacked) !== undefined, LIMIT_MS);
    const commandId = restricted(kit, hijacked)?.commandId ?? '';
    await commandIn(owner, commandId, 'acknowledged');
    await commandIn(other, commandId, 'acknowledged');

    // A gateway that comes to the other node gets the full state there, signed with that node's key; and so on.
    await kit.close(0);
    const late = gatewayOf(owner);
    expect(await late.kit.subscribe()).toBe(true);
    expect(restricted(late.kit, hijacked)?.commandId).toBe(commandId);
    await late.kit.close(0);
    const again = gatewayOf(other);
    expect(await again.kit.subscribe()).toBe(true);
    expect(restricted(again.kit, hijacked)?.commandId).toBe(commandId);

    // A person judges and lifts at the node that does not score the agent.
    const incidentId = held.incidentId ?? '';
    const incident = await incidentAt(other, incidentId);
    expect(incident).toMatchObject({ agentId: AGENT, sessionId: hijacked.sessionId });
    const explained = await other.service.get(`/v1/incidents/${incidentId}/response`);
    expect(explained).toMatchObject({ ladder: expect.any(Array) });
    await other.service.post(`/v1/commands/${commandId}/lift`, { reason: 'a drill' });
    await eventually('it is lifted', () => restricted(again.kit, hijacked) === undefined, LIMIT_MS);
    const all = [...events, ...late.events, ...again.events];
    expect(all.filter(({ type }) => type === 'message-refused')).toEqual([]);
  }, 120_000);

  it('asks through a node that scores nothing', async () => {
    const api = await cluster.add({}, { roles: ['api'] });
    try {
      expect((await statusOf(api.service)).partitions).toEqual({});
      const calm = syntheticSession(333, { agentId: AGENT, startMs: NOW + 2 * MINUTE_MS });
      for (const { speaker, observation } of calm.said.slice(0, 2)) await api.service.observe(speaker, [observation]);
      const { kit } = gatewayOf(api);
      expect(await kit.subscribe()).toBe(true);
      expect(await kit.check(callOf(calm, 'send_money'))).toMatchObject({ source: 'observer', timedOut: false });
      expect(await api.service.get(`/v1/baselines/${AGENT}`)).toMatchObject({ agentId: AGENT });
      await kit.close(0);
    } finally {
      takenElsewhere = (await statusOf(api.service)).intake['accepted'] ?? 0;
      await api.service.stop();
      cluster.nodes.splice(cluster.nodes.indexOf(api), 1);
    }
  });

  it('publishes all nodes’ keys at each', async () => {
    const keysAt = async ({ service }: TestNode) => {
      const response = await fetch(`${service.url}/.well-known/jwks.json`);
      const { keys } = (await response.json()) as { keys: { kid: string }[] };
      return keys.map(({ kid }) => kid).sort();
    };
    const [a, b] = await Promise.all([keysAt(owner), keysAt(other)]);
    expect(a).toEqual(b);
    // That of the node that scored nothing, and has stopped, among them.
    expect(a.length).toBe(3);
  });

  it('tells people once', async () => {
    await eventually('the mail came', () => mail.mails.length > 0, LIMIT_MS);
    const about = mail.mails.map(({ subject = '' }) => subject);
    expect(new Set(about).size).toBe(about.length);
  });

  it('stores everything once, whoever scored it', async () => {
    await cluster.settled();
    const { url, writer } = cluster.store ?? { url: '', writer: { username: '', password: '' } };
    const response = await fetch(`${url}/?database=parallax`, {
      method: 'POST',
      headers: { 'X-ClickHouse-User': writer.username, 'X-ClickHouse-Key': writer.password },
      body: `SELECT count() AS stored, uniqExact(id) AS ids FROM observations_v WHERE agentId = '${AGENT}' FORMAT JSON`,
    });
    const { data } = (await response.json()) as { data: { stored: number; ids: number }[] };
    const accepted = await Promise.all(
      cluster.nodes.map(async ({ service }) => (await statusOf(service)).intake['accepted'] ?? 0),
    );
    const checks = (await statusOf(owner.service)).checks['answered'] ?? 0;
    const sent = accepted.reduce((sum, count) => sum + count, takenElsewhere) + checks;
    expect(data).toEqual([{ stored: sent, ids: sent }]);
  });

  /** Reports the first observations of a session, one after the other, at both nodes in turn. */
  async function begin({ said }: Session, count: number): Promise<void> {
    for (const [i, { speaker, observation }] of said.slice(0, count).entries()) {
      await (i % 2 === 0 ? owner : other).service.observe(speaker, [observation]);
    }
  }

  function gatewayOf({ service, setup }: TestNode): { kit: GatewayClient; events: GatewayEvent[] } {
    const events: GatewayEvent[] = [];
    const kit = createGatewayClient({
      url: service.url,
      key: setup.keys.gateway,
      gatewayId: 'gateway',
      deadlineMs: 20_000,
      onEvent: (event) => events.push(event),
      limits: { retryBaseMs: 20, retryMaxMs: 100, silenceMs: 5_000 },
    });
    gateways.push(kit);
    return { kit, events };
  }
});

function restricted(kit: GatewayClient, { sessionId }: Session) {
  return kit.restrictionOn(AGENT, sessionId, 'send_money');
}

function callOf({ said }: Session, tool: string) {
  for (const { observation } of said) {
    if (observation.kind !== 'tool_call' || observation.tool !== tool) continue;
    const { time, agentId, sessionId = '', callId = '', effect = 'write', args = {} } = observation;
    return { time, agentId, sessionId, callId, tool, effect, args };
  }
  throw new Error(`no call of ${tool}`);
}

async function incidentAt({ service }: TestNode, id: string): Promise<Incident> {
  let found: unknown;
  await eventually('the incident is shown', async () => {
    found = await service.get(`/v1/incidents/${id}`).catch(() => undefined);
    return found !== undefined;
  });
  return found as Incident;
}

async function commandIn({ service }: TestNode, id: string, state: Command['state']): Promise<void> {
  await eventually(
    `the command is ${state}`,
    async () => ((await service.get(`/v1/commands/${id}`).catch(() => ({}))) as Command).state === state,
    LIMIT_MS,
  );
}

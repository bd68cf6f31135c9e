import { createGatewayClient, type GatewayClient } from '../../src/gateway/client.js';
import type { Incident } from '../../src/model/incident.js';
import type { CheckAnswer } from '../../src/model/wire.js';
import { prepareService, ServiceProcess, type ServiceSetup } from './service-process.js';
import { sendSessions, speakerKeys, spread, timeMoves, type Session } from './session-traffic.js';
import { syntheticSession } from './synthetic-sessions.js';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SESSIONS_EACH = 40;
/** Sessions told of together while learning. */
const GROUP = 16;
/** An agent that policy never contains by itself. */
export const ASKED_ABOUT = 'data-analyst';
/** Roles of people, each with a key of its own. */
export const PEOPLE = ['viewer', 'analyst', 'responder'] as const;
export type Person = (typeof PEOPLE)[number];

/** A service with a history, a gateway, and a key for every role. */
export interface PageWorld {
  service: ServiceProcess;
  setup: ServiceSetup;
  keyOf: (person: Person) => string;
  gateway: GatewayClient;
  /** A hijacked session that ends with the call that gives it away. */
  hijack: (agentId: string, n: number) => Promise<Incident>;
  /** An ordinary session. */
  work: (agentId: string, n: number) => Promise<void>;
  /** Ends the process at once, and starts it again at the same address. */
  crash: () => Promise<void>;
  restart: () => Promise<void>;
  stop: () => Promise<void>;
}

export interface PageWorldOptions {
  directory: string;
  port: number;
  agents: readonly string[];
}

/** Starts it in act mode, lets it learn the agents' work of some days ago, and connects a gateway. */
export async function startPageWorld({ directory, port, agents }: PageWorldOptions): Promise<PageWorld> {
  const people = preparePeople(directory, port);
  const { setup } = people;
  let service = await ServiceProcess.start(setup);
  await learn(service, agents);
  const gateway = createGatewayClient({
    url: service.url,
    key: setup.keys.gateway,
    gatewayId: 'gateway',
    deadlineMs: 20_000,
    limits: { retryBaseMs: 20, retryMaxMs: 100, silenceMs: 5_000 },
  });
  await gateway.subscribe();
  const world: PageWorld = {
    service,
    setup,
    gateway,
    keyOf: people.keyOf,
    work: async (agentId, n) => {
      const session = syntheticSession(n, { agentId, startMs: Date.now() - 40_000 });
      await report(service, session, session.said.length);
    },
    hijack: async (agentId, n) => {
      const session = syntheticSession(n, { agentId, startMs: Date.now() - 12_000, hijacked: true });
      await report(service, session, 8);
      const answer = await askAbout(service, session, 'delete_account');
      return incidentOf(service, answer.incidentId ?? '');
    },
    crash: () => service.kill(),
    restart: async () => {
      service = await ServiceProcess.start(setup);
      world.service = service;
    },
    stop: async () => {
      await gateway.close(0);
      await service.stop();
    },
  };
  return world;
}

/** A configuration with a key for every emitter and for every role of people. */
export function preparePeople(
  directory: string,
  port: number,
  settings: Record<string, unknown> = {},
): { setup: ServiceSetup; keyOf: (person: Person) => string } {
  const secrets = new Map(PEOPLE.map((person) => [person, randomBytes(24).toString('base64url')]));
  const file = (id: string) => join(directory, 'keys', `${id}.key`);
  const setup = prepareService(directory, {
    mode: 'act',
    http: { port, heartbeatMs: 500 },
    // Wide enough for the sessions that are told of together.
    join: { outOfOrderMs: GROUP * MINUTE_MS, idleMs: DAY_MS },
    detection: { falseAlarmBudget: 0.05 },
    check: { deadlineMs: 10_000 },
    // What is about this agent waits for a person.
    respond: { acknowledgeMs: 60_000, neverAct: [ASKED_ABOUT] },
    keys: [...speakerKeys(file), ...[...PEOPLE, 'admin'].map((role) => ({ id: role, role, secretFile: file(role) }))],
    ...settings,
  });
  for (const [person, secret] of secrets) writeFileSync(file(person), secret, { mode: 0o600 });
  return { setup, keyOf: (person) => secrets.get(person) ?? '' };
}

async function learn(service: ServiceProcess, agents: readonly string[]): Promise<void> {
  const learnedAt = Date.now() - 3 * DAY_MS;
  await service.post('/v1/learning', { mode: 'vouched' });
  const sessions = Array.from({ length: SESSIONS_EACH * agents.length }, (_, i) => {
    const agentId = agents[i % agents.length] ?? '';
    return syntheticSession(Math.floor(i / agents.length), { agentId, startMs: 0 });
  });
  await sendSessions(spread(sessions, learnedAt, MINUTE_MS), {
    post: async (speaker, batch) => void (await service.observe(speaker, batch)),
    groupSize: GROUP,
    inFlight: 1,
  });
  for (const { speaker, observation } of timeMoves(learnedAt + DAY_MS)) await service.observe(speaker, [observation]);
  await service.settled();
  await service.post('/v1/calibrate', {});
  await service.post('/v1/learning', { mode: 'frozen' });
  await service.settled();
}

async function report(service: ServiceProcess, { said }: Session, count: number): Promise<void> {
  for (const { speaker, observation } of said.slice(0, count)) await service.observe(speaker, [observation]);
}

async function askAbout(service: ServiceProcess, { said }: Session, tool: string): Promise<CheckAnswer> {
  for (const { observation } of said) {
    if (observation.kind !== 'tool_call' || observation.tool !== tool) continue;
    const { time, agentId, sessionId, callId, effect, args } = observation;
    const request = { time, agentId, sessionId, callId, tool, effect, args };
    // The route answers with this and nothing else.
    return (await service.post('/v1/check', request, service.setup.keys.gateway)) as CheckAnswer;
  }
  throw new Error(`no call of ${tool}`);
}

/** The answer to a check may come before the incident is committed and shown. */
async function incidentOf(service: ServiceProcess, id: string): Promise<Incident> {
  for (let i = 0; i < 500; i++) {
    const found = await service.get(`/v1/incidents/${id}`).catch(() => undefined);
    if (found !== undefined) return found as Incident;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no incident ${id}`);
}

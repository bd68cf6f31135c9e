import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discovery } from '../../src/cli/discovery.js';
import { loadConfig } from '../../src/config.js';
import type { DiscoveryReport } from '../../src/governance/port.js';
import type { WireObservation } from '../../src/model/wire.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { eventually } from '../support/eventually.js';
import { openFedCore, type FedCore } from '../support/fed-core.js';
import { repositoryRoot } from '../support/recorded.js';
import { sendSessions, timeMoves, type Session } from '../support/session-traffic.js';
import { syntheticSession } from '../support/synthetic-sessions.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;

const directory = temporaryDirectory();
let fed: FedCore;
let stack: ApiStack;
let nowMs: number;

/** A class of office agents, who may not delete accounts and for whom nobody declared that they move money. */
function writeLibrary(): string {
  const baselinesDir = join(directory.path, 'baselines');
  mkdirSync(join(baselinesDir, 'profiles'), { recursive: true });
  copyFileSync(join(repositoryRoot, 'baselines', 'prior.json'), join(baselinesDir, 'prior.json'));
  writeFileSync(join(baselinesDir, 'tools.yaml'), 'tools: [{ name: delete_account, tier: prohibited }]\n');
  const profile = 'agents: [office-*]\ntools: [read_file, search_mail, read_mail, send_mail, fax.*]\n';
  writeFileSync(join(baselinesDir, 'profiles', 'office.yaml'), profile);
  return baselinesDir;
}

function grant(tool: string, time: number): WireObservation {
  const expiresAt = nowMs + 30 * DAY;
  return { time, agentId: 'office-1', stream: 'governance', kind: 'grant', tool, approverId: 'boss', expiresAt };
}

beforeAll(async () => {
  const config = loadConfig(undefined, {});
  fed = openFedCore(7, { detection: { ...config.detection, baselinesDir: writeLibrary() } });
  nowMs = fed.clock.now();
  const start = nowMs - 10 * DAY;
  const send = async (sessions: Session[]) =>
    sendSessions(sessions, {
      groupSize: 1,
      inFlight: 1,
      post: async (speaker, batch) => void (await fed.observe(speaker, batch)),
    });
  const passTo = async (time: number) => {
    for (const { speaker, observation } of timeMoves(time)) await fed.observe(speaker, [observation]);
    await fed.tick(1_000);
  };
  const learning = (value: string) =>
    fed.core.record({ type: 'activation', value: { time: nowMs, tenant: 'default', what: 'learning', value } });
  await learning('vouched');
  await fed.observe('governance', [grant('send_money', start), grant('badge', start)]);
  const history = Array.from({ length: 12 }, (_, n) =>
    syntheticSession(n, { agentId: n % 4 === 3 ? 'lost' : 'office-1', startMs: start + (n + 1) * HOUR }),
  );
  await send(history);
  await passTo(start + 2 * DAY);
  await learning('on');
  await send([syntheticSession(12, { agentId: 'office-1', startMs: start + 3 * DAY, hijacked: true })]);
  await passTo(start + 5 * DAY);
  await fed.core.settled();
  stack = await startApi({ discovery: { discover: fed.core.discover } });
}, 60_000);
afterAll(async () => {
  await stack.close();
  await fed.close();
  fed.remove();
  directory.remove();
});

// The answer is what discover gave.
const ask = async (query: string, key: string) =>
  (await (await stack.get(`/v1/discovery${query}`, key)).json()) as DiscoveryReport;

describe('GET /v1/discovery', () => {
  it('compares what was declared with what sessions, grants and incidents show', async () => {
    const found = await ask('?agent=office-*', 'viewer');
    expect(found.agents).toBe(1);
    expect(found.undeclaredTools.items).toEqual([
      { agentId: 'office-1', agentClass: 'office', tool: 'send_money', sessions: 3, granted: 'in-force' },
    ]);
    expect(found.unusedTools.items).toEqual([{ agentClass: 'office', tool: 'fax.*', agents: 1 }]);
    expect(found.unusedGrants.items).toMatchObject([
      { agentId: 'office-1', tool: 'badge', approverId: 'boss', authorised: true, standing: 'in-force' },
    ]);
    expect(found.prohibitedTools.items).toEqual([
      { agentId: 'office-1', agentClass: 'office', tool: 'delete_account', sessions: 0, incidents: 1, binding: true },
    ]);
    expect(found.unknownAgents.total).toBe(0);
    const all = await ask('', 'analyst');
    expect(all.unknownAgents.items[0]).toMatchObject({ agentId: 'lost', sessions: 3 });
    expect(all.unknownAgents.items[0]?.lastSeenAt).toBeGreaterThan(0);
    expect((await ask('?limit=1', 'analyst')).unknownAgents.items).toHaveLength(1);
  });

  it('shows each tenant its own, refuses gateways, and says what is wrong with a question', async () => {
    expect(await ask('', 'stranger')).toMatchObject({
      agents: 0,
      unusedGrants: { total: 0 },
      emptyClasses: ['office'],
    });
    expect((await stack.get('/v1/discovery', 'gateway')).status).toBe(403);
    for (const query of ['?agent=', '?agent=a*b', '?limit=0', `?agent=${'a'.repeat(2_000)}`]) {
      const refused = await stack.get(`/v1/discovery${query}`, 'viewer');
      expect(refused.status).toBe(400);
      await refused.body?.cancel();
    }
  });
});

describe('a comparison that takes its time', () => {
  it('is made once for a key that asks again, and a key gets no second one beside it', async () => {
    const real = await ask('', 'viewer');
    const waiting: (() => void)[] = [];
    const slow = await startApi({
      discovery: {
        discover: async () => {
          await new Promise<void>((resolve) => waiting.push(resolve));
          return real;
        },
      },
    });
    try {
      const first = slow.get('/v1/discovery', 'viewer');
      await eventually('it is under way', () => waiting.length === 1);
      const again = slow.get('/v1/discovery', 'viewer');
      const other = await slow.get('/v1/discovery?agent=lost', 'viewer');
      expect([other.status, other.headers.get('retry-after')]).toEqual([429, '1']);
      const another = slow.get('/v1/discovery?agent=lost', 'analyst');
      await eventually('all are asked', () => waiting.length === 2 && slow.api.counters.requests === 4);
      for (const finish of waiting) finish();
      for (const answer of await Promise.all([first, again, another])) expect(await answer.json()).toEqual(real);
      expect(waiting).toHaveLength(2);
      const next = slow.get('/v1/discovery?agent=lost', 'viewer');
      await eventually('the next is under way', () => waiting.length === 3);
      waiting[2]?.();
      expect((await next).status).toBe(200);
    } finally {
      await slow.close();
    }
  });
});

describe('parallax discovery', () => {
  it('prints it for a person', async () => {
    const said = { out: '', err: '' };
    const code = await discovery.run({
      values: { url: stack.url, agent: 'office-*' },
      positionals: [],
      env: { PARALLAX_KEY: secretOf('viewer') },
      console: { out: (text) => (said.out += text), err: (text) => (said.err += text), isTerminal: false },
    });
    expect([code, said.err]).toEqual([0, '']);
    expect(said.out).toContain('  delete_account by office-1 (office): 1 incident, 0 learned sessions\n');
    expect(said.out).toContain('  send_money by office-1 (office): 3 sessions, granted\n');
    expect(said.out).toContain('  fax.* of class office (1 agent)\n');
    expect(said.out).toMatch(/ {2}badge for office-1, by boss, 10 days ago; ends \d{4}-\d\d-\d\d /);
  });
});

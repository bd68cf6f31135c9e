import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WireObservation } from '../../src/model/wire.js';
import { openStore } from '../../src/store/store.js';
import { eventually } from '../support/eventually.js';
import { lintExposition, parseExposition, totalOf, valueOf } from '../support/exposition.js';
import { prepareService, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

interface Beat {
  time: number;
  position: number;
  jws: string;
}

function call(n: number, change: object = {}): WireObservation {
  return {
    id: `o-${n}`,
    time: Date.now(),
    agentId: `agent-${n % 3}`,
    sessionId: `s-${n}`,
    callId: `c-${n}`,
    stream: 'action',
    kind: 'tool_call',
    tool: 'search',
    effect: 'read',
    args: { q: 'x' },
    decision: 'allow',
    ...change,
  };
}

const beatsOf = (receiver: WebhookReceiver) => receiver.received.map(({ body }): Beat => JSON.parse(body));

describe('a service that is watched', () => {
  const directory = temporaryDirectory();
  const receiver = new WebhookReceiver();
  let setup: ServiceSetup;
  let service: ServiceProcess;

  beforeAll(async () => {
    await receiver.start();
    const urlFile = join(directory.path, 'heartbeat.url');
    writeFileSync(urlFile, `${receiver.url}/ping/secret-of-the-check\n`, { mode: 0o600 });
    setup = prepareService(join(directory.path, 'watched'), {
      http: { port: 0, metrics: { port: 0 } },
      heartbeat: { urlFile, everyMs: 300, allowAddresses: ['127.0.0.0/8'] },
    });
    service = await ServiceProcess.start(setup);
  }, 60_000);

  afterAll(async () => {
    await service.kill();
    await receiver.stop();
    directory.remove();
  });

  const scrape = async () => {
    const response = await fetch(`${service.metricsUrl}/metrics`);
    return parseExposition(await response.text());
  };

  it('gives the numbers of its status, with and without a key, by the rules of the format', async () => {
    const sent = Array.from({ length: 40 }, (_, n) => call(n));
    expect(await service.observe('gateway', [...sent, call(1), call(99, { tool: '' })])).toMatchObject({
      accepted: 41,
    });
    await service.post(
      '/v1/check',
      { ...call(200), kind: undefined, stream: undefined, decision: undefined, id: undefined },
      setup.keys.gateway,
    );
    const status = await service.settled();
    const exposed = await scrape();
    expect(lintExposition(exposed)).toEqual([]);
    expect(valueOf(exposed, 'parallax_intake_records_accepted_total')).toBe(status.intake['accepted']);
    expect(valueOf(exposed, 'parallax_intake_records_refused_total')).toBe(status.intake['refused']);
    expect(valueOf(exposed, 'parallax_scoring_observations_total')).toBe(status.scoring.observations);
    expect(valueOf(exposed, 'parallax_scoring_dropped_total', { reason: 'duplicate' })).toBe(1);
    expect(totalOf(exposed, 'parallax_checks_total')).toBe(status.checks.answered);
    expect(valueOf(exposed, 'parallax_check_duration_seconds_count')).toBe(1);
    expect(valueOf(exposed, 'parallax_held', { what: 'sessions' })).toBe(status.join['openSessions']);
    expect(valueOf(exposed, 'parallax_log_records_total')).toBeGreaterThanOrEqual(status.log.head);
    const keyed = await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${setup.keys.admin}` } });
    expect(keyed.status).toBe(200);
    expect([...parseExposition(await keyed.text()).keys()]).toEqual([...exposed.keys()]);
    expect((await fetch(`${service.url}/metrics`)).status).toBe(401);
    expect((await fetch(`${service.metricsUrl}/v1/status`)).status).toBe(404);
  });

  it('grows no series by a flood of invented agents, tools and texts', async () => {
    const count = async () => [...(await scrape()).values()].reduce((sum, { samples }) => sum + samples.length, 0);
    const before = await count();
    const flood = Array.from({ length: 2_000 }, (_, n) =>
      call(1_000 + n, { agentId: `ghost-${n}`, tool: `tool-${n}`, sessionId: `g-${n}`, reason: `{x="${n}"}` }),
    );
    await service.observe('gateway', flood);
    await service.settled();
    // Garbage collections of another kind may show for the first time.
    expect((await count()) - before).toBeLessThan(40);
    const text = await (await fetch(`${service.metricsUrl}/metrics`)).text();
    expect(text).not.toMatch(/ghost-|tool-1|secret-of-the-check/);
  });

  it('beats as long as scoring goes all the way, signed, at an address that no log or status shows', async () => {
    await eventually('three beats', () => receiver.received.length >= 3);
    const beats = beatsOf(receiver);
    const positions = beats.map(({ position }) => position);
    expect(positions).toEqual([...new Set(positions)].toSorted((a, b) => a - b));
    const jwks = (await (await fetch(`${service.url}/.well-known/jwks.json`)).json()) as JSONWebKeySet;
    const last = beats.at(-1);
    const { payload, protectedHeader } = await compactVerify(last?.jws ?? '', createLocalJWKSet(jwks));
    expect(protectedHeader.typ).toBe('parallax-heartbeat+jwt');
    expect(JSON.parse(new TextDecoder().decode(payload))).toMatchObject({
      iss: 'parallax',
      aud: 'heartbeat',
      sequence: last?.position,
      body: { position: last?.position, time: last?.time },
    });
    expect(await service.get('/v1/heartbeat')).toMatchObject({ position: expect.any(Number), jws: expect.any(String) });
    expect(service.log + JSON.stringify(await service.status())).not.toContain('secret-of-the-check');
  });

  it('goes silent when it hangs, and beats again when it goes on', async () => {
    // The whole process stands still: what a machine that swaps, or a debugger, does.
    process.kill(service.pid, 'SIGSTOP');
    const before = receiver.received.length;
    await sleep(1_000);
    // One may have been on its way.
    expect(receiver.received.length - before).toBeLessThanOrEqual(1);
    process.kill(service.pid, 'SIGCONT');
    await eventually('it beats again', () => receiver.received.length > before + 2);
    expect((await scrape()).has('parallax_heartbeats_total')).toBe(true);
  });
});

describe('a service that is asked to stop', () => {
  const directory = temporaryDirectory();

  afterAll(() => directory.remove());

  it('says so first, takes what is under way, turns the rest away, and loses nothing', async () => {
    const setup = prepareService(join(directory.path, 'drained'), {
      http: { port: 0, metrics: { port: 0 }, heartbeatMs: 60_000 },
      drain: { lameDuckMs: 700 },
    });
    const service = await ServiceProcess.start(setup);
    const stream = await fetch(`${service.url}/v1/commands/stream`, {
      headers: { authorization: `Bearer ${setup.keys.gateway}` },
    });
    const streamed = stream.text();

    const acknowledged = new Set<string>();
    const answers = { taken: 0, whileStopping: 0, retryAfters: [] as number[], refusals: new Set<string>() };
    let stopping = false;
    const emitter = async (lane: number) => {
      // Until the service has gone: then no request gets through.
      for (let n = 0; ; n++) {
        const batch = Array.from({ length: 20 }, (_, i) => call(n * 20 + i, { id: `l${lane}-${n}-${i}` }));
        const askedWhileStopping = stopping;
        const response = await service
          .request('/v1/observations', JSON.stringify(batch), setup.keys.gateway)
          .catch(() => undefined);
        if (response === undefined) return;
        if (response.status === 200) {
          await response.text();
          for (const { id = '' } of batch) acknowledged.add(id);
          answers.taken++;
          if (askedWhileStopping) answers.whileStopping++;
        } else {
          const { error } = (await response.json()) as { error: { code: string } };
          answers.refusals.add(`${response.status} ${error.code}`);
          answers.retryAfters.push(Number(response.headers.get('retry-after')));
          await sleep(1);
        }
      }
    };
    const emitters = [0, 1, 2, 3].map(emitter);
    await eventually('there is load', () => answers.taken > 20);

    const ended = service.stop();
    stopping = true;
    await eventually('it says so', async () => {
      const response = await fetch(`${service.metricsUrl}/readyz`);
      return response.status === 503 && ((await response.json()) as { draining: boolean }).draining;
    });
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    expect(await ended).toBe(0);
    await Promise.all(emitters);

    expect(answers.whileStopping).toBeGreaterThan(0);
    expect([...answers.refusals].filter((refusal) => refusal !== '503 stopping')).toEqual([]);
    // None is turned away where the last answer and the end fall together.
    expect(answers.retryAfters.filter((seconds) => !(seconds > 0))).toEqual([]);
    expect(await streamed).toMatch(/\nretry: 2000\n\n$/);

    const again = await ServiceProcess.start(setup);
    const status = await again.settled({ stored: true });
    // The last checkpoint was the last word: nothing is scored again.
    expect(status.scoring.observations).toBe(0);
    expect(await again.stop()).toBe(0);
    expect(await storedIds(setup.dataDir)).toEqual([...acknowledged].map((id) => `gateway/${id}`).toSorted());
  }, 120_000);

  it('ends at once when it is asked twice, and goes on from the log', async () => {
    const setup = prepareService(join(directory.path, 'twice'), { drain: { lameDuckMs: 30_000, deadlineMs: 60_000 } });
    const service = await ServiceProcess.start(setup);
    await service.observe('gateway', [call(1), call(2)]);
    const ended = service.stop();
    await eventually('it is stopping', () => service.log.includes('stopping'));
    process.kill(service.pid, 'SIGINT');
    expect(await ended).toBe(130);
    const again = await ServiceProcess.start(setup);
    const { intake, scoring } = await again.settled();
    expect([intake['accepted'], scoring.observations]).toEqual([0, 2]);
    await again.kill();
  }, 60_000);

  it('does not stop for ever: what is not done by the deadline is left to the next start', async () => {
    const setup = prepareService(join(directory.path, 'late'), { drain: { lameDuckMs: 60_000, deadlineMs: 300 } });
    const service = await ServiceProcess.start(setup);
    expect(await service.stop()).toBe(1);
    expect(service.log).toContain('could not finish in time');
  }, 60_000);
});

async function storedIds(dataDir: string): Promise<string[]> {
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
    const rows = await store.writer.select<{ id: string }>('SELECT DISTINCT id FROM observations_v');
    return rows.map(({ id }) => id).toSorted();
  } finally {
    await store.close();
  }
}

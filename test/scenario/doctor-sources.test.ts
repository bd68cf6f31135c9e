import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WireObservation } from '../../src/model/wire.js';
import { eventually } from '../support/eventually.js';
import { prepareService, runParallax, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const directory = temporaryDirectory();
const signer = generateKeyPairSync('ed25519');
let setup: ServiceSetup;
let service: ServiceProcess;

beforeAll(async () => {
  mkdirSync(directory.path, { recursive: true });
  const publicKey = join(directory.path, 'signer.pub.pem');
  writeFileSync(publicKey, signer.publicKey.export({ type: 'spki', format: 'pem' }));
  const plain = prepareService(directory.path);
  const secretFile = (id: string) => join(directory.path, 'keys', `${id}.key`);
  const key = (id: string, role: string, streams: string[], more: object = {}) => ({
    id,
    role,
    streams,
    secretFile: secretFile(id),
    ...more,
  });
  const signatures = { publicKeys: [{ id: 'k1', file: publicKey }] };
  setup = prepareService(
    directory.path,
    {
      keys: [
        key('agent-runtime', 'ingest', ['reasoning'], { agents: ['team-*'], content: 'off' }),
        key('gateway', 'gateway', ['action'], { signatures }),
        key('governance', 'ingest', ['governance'], { silentAfterMs: 1_000 }),
        key('platform', 'ingest', ['metric'], { quota: { recordsPerSecond: 1, burstSeconds: 1 } }),
        key('admin', 'admin', []),
      ],
    },
    plain.keys,
  );
  service = await ServiceProcess.start(setup);
}, 120_000);

afterAll(async () => {
  await service.stop();
  directory.remove();
});

const now = () => Date.now();

function signed(sequence: number, body: string): Record<string, string> {
  const digest = createHash('sha256').update(body).digest('hex');
  const text = ['parallax-batch-v1', 'POST', '/v1/observations', sequence, digest].join('\n');
  return {
    'parallax-key-id': 'k1',
    'parallax-sequence': String(sequence),
    'parallax-signature': sign(null, Buffer.from(text), signer.privateKey).toString('base64'),
  };
}

async function sendSigned(sequence: number): Promise<number> {
  const body = JSON.stringify({
    time: now(),
    agentId: 'team-a',
    sessionId: 's',
    stream: 'action',
    kind: 'tool_call',
    tool: 'read_file',
    decision: 'allow',
  });
  const headers = {
    authorization: `Bearer ${setup.keys.gateway}`,
    'content-type': 'application/json',
    ...signed(sequence, body),
  };
  return (await fetch(`${service.url}/v1/observations`, { method: 'POST', headers, body })).status;
}

async function incidentTitles(): Promise<string[]> {
  const answer = (await service.get('/v1/incidents')) as { incidents: { title: string }[] };
  return answer.incidents.map(({ title }) => title);
}

it('shows what came from whom, and how to mend what did not', async () => {
  const say: WireObservation = {
    time: now() + 30_000,
    agentId: 'team-a',
    sessionId: 's',
    stream: 'reasoning',
    kind: 'message',
    text: 'hi',
  };
  await service.observe('agent-runtime', [say, { ...say, agentId: 'stranger' }]);
  const sample: WireObservation = {
    time: now(),
    agentId: 'team-a',
    stream: 'metric',
    kind: 'sample',
    values: { cpu: 1 },
  };
  await service.observe(
    'platform',
    Array.from({ length: 30 }, (_, i) => ({ ...sample, id: `m${i}` })),
  );
  const span = {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    name: 'chat x',
    startTimeUnixNano: `${now()}000000`,
    endTimeUnixNano: `${now()}000000`,
    attributes: [{ key: 'gen_ai.operation.name', value: { stringValue: 'chat' } }],
  };
  const lost = await service.request(
    '/v1/traces',
    JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
    setup.keys['agent-runtime'],
  );
  expect(lost.status).toBe(200);
  expect(await sendSigned(1)).toBe(200);
  expect(await sendSigned(1)).toBe(409);
  expect(await sendSigned(9)).toBe(200);
  await sleep(1_500);

  const keyFile = join(directory.path, 'keys', 'admin.key');
  const { code, out, err } = await runParallax(['doctor', 'sources', '--url', service.url, '--key-file', keyFile]);
  expect(err).toBe('');
  expect(code).toBe(0);
  const about = (id: string) => out.split(/\n(?! )/).find((part) => part.startsWith(`${id}:`)) ?? '';
  expect(about('agent-runtime')).toContain('reasoning as native: 1 in the last 15 minutes');
  expect(about('agent-runtime')).toContain('-> 1 refused as native: agentId: this key may not speak for this agent');
  expect(about('agent-runtime')).toContain('-> 1 not placed by trace, call or conversation; set gen_ai.agent.id');
  expect(about('agent-runtime')).toMatch(/-> the clock behind its reasoning stream is (29|30) s ahead; set it/);
  expect(about('gateway')).toContain('action as native: 2 in the last 15 minutes');
  expect(about('governance')).toMatch(/-> silent for .* s, silentAfterMs says 1\.0 s/);
  expect(about('platform')).toContain('-> over its quota: 29 metric records');
  expect(out).toContain('4 emitters');
}, 60_000);

it('raises an incident for each kind of trouble, by the name of the emitter', async () => {
  const expected = [
    'agent-runtime speaks for agents that its key is not bound to, such as stranger',
    'gateway sent batch 1 again',
    '7 batches of gateway before batch 9 did not arrive',
    'nothing has come from governance for',
    'platform sends more than its quota',
  ];
  await eventually('an incident for each', async () => {
    const titles = (await incidentTitles()).join('\n');
    return expected.every((text) => titles.includes(text));
  });
  expect(new Set(await incidentTitles()).size).toBe(5);
}, 60_000);

it('knows the numbers of batches still after a restart', async () => {
  expect(await service.stop()).toBe(0);
  service = await ServiceProcess.start(setup);
  expect(await sendSigned(9)).toBe(409);
  expect(await sendSigned(10)).toBe(200);
}, 120_000);

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCompose } from '../support/compose.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { sharedKafka, uniqueName } from '../support/kafka/shared-kafka.js';
import { repositoryRoot } from '../support/recorded.js';
import { ensureBuilt, runParallax } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const kafka = await sharedKafka();
const CONFIG = join(repositoryRoot, 'config', 'compose', 'parallax.yaml');
const START_MS = 120_000;

interface Node {
  url: string;
  process: ChildProcess;
  ended: Promise<number | null>;
  said: string;
}

/** The nodes of compose.yaml, with its configuration and environment; only addresses and places are others. */
describe.skipIf(kafka.missing !== undefined)('the nodes of compose.yaml', () => {
  const directory = temporaryDirectory();
  const { services } = readCompose();
  const secret = (...path: string[]) => join(directory.path, 'secrets', 'parallax', ...path);
  const shared = {
    PARALLAX_CLUSTER__KAFKA__BROKERS: JSON.stringify(kafka.brokers),
    PARALLAX_CLUSTER__TOPIC_PREFIX: uniqueName('compose'),
    PARALLAX_CLUSTER__GROUP_ID: uniqueName('compose-workers'),
    // Storing is apart from all that is asked here.
    PARALLAX_CLICKHOUSE__URL: 'http://127.0.0.1:9',
    PARALLAX_CLICKHOUSE__PASSWORD_FILE: secret('clickhouse-writer'),
    PARALLAX_KEYS: JSON.stringify([
      { id: 'admin', role: 'admin', secretFile: secret('keys', 'admin.key') },
      { id: 'gateway', role: 'gateway', streams: ['action'], secretFile: secret('keys', 'gateway.key') },
    ]),
  };
  const nodes: Node[] = [];

  async function start(name: 'api' | 'worker'): Promise<Node> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const env = {
      PATH: process.env['PATH'],
      ...services[name]?.environment,
      ...shared,
      PARALLAX_DATA_DIR: join(directory.path, name),
      PARALLAX_HTTP__HOST: '127.0.0.1',
      PARALLAX_HTTP__PORT: String(port),
      PARALLAX_CLUSTER__NODE__ID: name,
      PARALLAX_CLUSTER__NODE__URL: url,
    };
    const child = spawn(process.execPath, ['bin/parallax.js', 'serve', '--config', CONFIG], {
      cwd: repositoryRoot,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const node: Node = {
      url,
      process: child,
      ended: new Promise((resolve) => child.once('close', resolve)),
      said: '',
    };
    child.stderr.on('data', (chunk: Buffer) => (node.said += chunk.toString('utf8')));
    nodes.push(node);
    return node;
  }

  const isReady = async ({ url }: Node): Promise<boolean> =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );

  beforeAll(async () => {
    ensureBuilt();
    execFileSync(process.execPath, [
      join(repositoryRoot, 'config', 'compose', 'make-secrets.js'),
      join(directory.path, 'secrets'),
    ]);
    const [command = '', ...args] = services['topics']?.command ?? [];
    const given = args.map((arg) => (arg === '/config/parallax.yaml' ? CONFIG : arg));
    const { code, out } = await runParallax([command, ...given], shared);
    if (code !== 0) throw new Error(`the topics were not made:\n${out}`);
  }, START_MS);

  afterAll(async () => {
    for (const { process: child } of nodes) child.kill('SIGKILL');
    await Promise.all(nodes.map(({ ended }) => ended));
    directory.remove();
  });

  it(
    'become ready, take records in at the node that scores nothing, and stop when told to',
    { timeout: START_MS },
    async () => {
      const [api, worker] = await Promise.all([start('api'), start('worker')]);
      await eventually('both are ready', async () => (await isReady(api)) && (await isReady(worker)), 60_000);
      const headers = {
        authorization: `Bearer ${readFileSync(secret('keys', 'gateway.key'), 'utf8')}`,
        'content-type': 'application/json',
      };
      const call = { agentId: 'support-one', sessionId: 's1', callId: 'c1', tool: 'kb.search', args: {} };
      const record = {
        ...call,
        time: Date.now(),
        effect: 'read',
        decision: 'allow',
        stream: 'action',
        kind: 'tool_call',
      };
      const body = JSON.stringify([record]);
      const answer = await fetch(`${api.url}/v1/observations`, { method: 'POST', headers, body });
      expect([answer.status, await answer.json()]).toEqual([
        200,
        expect.objectContaining({ accepted: 1, refused: [] }),
      ]);
      for (const { process: child } of nodes) child.kill('SIGTERM');
      expect(await Promise.all(nodes.map(({ ended }) => ended))).toEqual([0, 0]);
    },
  );
});

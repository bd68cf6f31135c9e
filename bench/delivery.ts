/**
 * How long a decisive event takes until a gateway knows of the command, by each way of delivery: the kit's memory, the
 * bare stream, the long poll, a webhook; and what a check takes over HTTP beside it. The real service as a process of its
 * own, idle. Prints JSON.
 *
 *     npx tsc -p tsconfig.json && node dist/bench/delivery.js
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGatewayClient } from '../src/gateway/client.js';
import { prepareService, ServiceProcess } from '../test/support/service-process.js';
import { temporaryDirectory } from '../test/support/temporary-directory.js';
import { WebhookReceiver } from '../test/support/webhook-receiver.js';
import { commandLatencies, type Listener } from './support/command-latency.js';
import { get, post, type Target } from './support/load.js';

const CHECKS = 400;

type Subject = Parameters<Listener['next']>[0];

/** Hears of commands as signed messages, and looks for a session in each. */
class Ear {
  #awaited: { sessionId: string; resolve: (at: number) => void } | undefined;

  next({ sessionId }: Subject): Promise<number> {
    return new Promise((resolve) => {
      this.#awaited = { sessionId, resolve };
    });
  }

  hear(jws: string): void {
    const now = performance.now();
    const [, payload = ''] = jws.split('.');
    const text = Buffer.from(payload, 'base64url').toString('utf8');
    if (this.#awaited === undefined || !text.includes(`"${this.#awaited.sessionId}"`)) return;
    this.#awaited.resolve(now);
    this.#awaited = undefined;
  }
}

async function byKit(target: Target): Promise<Listener> {
  let awaited: { subject: Subject; resolve: (at: number) => void } | undefined;
  const kit = createGatewayClient({
    url: target.url,
    gatewayId: 'gateway',
    key: target.keyOf('gateway'),
    onEvent: () => {
      if (awaited === undefined) return;
      const { agentId, sessionId } = awaited.subject;
      if (kit.restrictionOn(agentId, sessionId, 'any') === undefined) return;
      awaited.resolve(performance.now());
      awaited = undefined;
    },
  });
  await kit.subscribe();
  return {
    next: (subject) =>
      new Promise((resolve) => {
        awaited = { subject, resolve };
      }),
    close: () => kit.close(0),
  };
}

async function byPoll(target: Target): Promise<Listener> {
  const ear = new Ear();
  const closing = new AbortController();
  const follow = async (): Promise<void> => {
    let cursor = '';
    while (!closing.signal.aborted) {
      const text = await get(`${target.url}/v1/commands/poll?waitMs=1000&after=${cursor}`, target.keyOf('gateway'));
      // The route answers with this.
      const answer = JSON.parse(text) as { cursor: string; messages: string[] };
      for (const jws of answer.messages) ear.hear(jws);
      cursor = answer.cursor;
    }
  };
  const following = follow();
  return {
    next: (subject) => ear.next(subject),
    close: () => {
      closing.abort();
      return following;
    },
  };
}

function byWebhook(receiver: WebhookReceiver): () => Promise<Listener> {
  const ear = new Ear();
  receiver.onWebhook = ({ body }) => {
    // The event's data is the signed message.
    ear.hear((JSON.parse(body) as { data: string }).data);
    return { status: 204 };
  };
  return async () => ({ next: (subject) => ear.next(subject), close: () => {} });
}

async function checks(target: Target): Promise<number[]> {
  const latencies: number[] = [];
  for (let n = 0; n < CHECKS; n++) {
    const body = {
      time: Date.now(),
      agentId: 'a',
      sessionId: `s-${n}`,
      callId: `c-${n}`,
      tool: 'pay',
      effect: 'write',
    };
    const sent = performance.now();
    await post(
      `${target.url}/v1/check`,
      target.keyOf('gateway'),
      Buffer.from(JSON.stringify(body)),
      'application/json',
    );
    latencies.push(performance.now() - sent);
  }
  return latencies;
}

function quantiles(latencies: readonly number[]) {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (q: number) =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(2));
  return { p50Ms: at(0.5), p99Ms: at(0.99), count: sorted.length };
}

const directory = temporaryDirectory();
const receiver = await new WebhookReceiver().start();
const secretFile = join(directory.path, 'webhook.secret');
writeFileSync(secretFile, `whsec_${randomBytes(32).toString('base64')}`);
const setup = prepareService(join(directory.path, 'observer'), {
  mode: 'act',
  // The caps would stop the measurement of how fast commands leave.
  respond: {
    caps: {
      commandsPerMinute: 10_000,
      totalCommandsPerMinute: 10_000,
      maxContainedShare: 1,
      minContainedAgents: 10_000,
    },
  },
  deliver: { webhooks: [{ id: 'edge', url: receiver.url, secretFile, allowAddresses: ['127.0.0.1/32'] }] },
});
const service = await ServiceProcess.start(setup);
const target: Target = { url: service.url, keyOf: (speaker) => setup.keys[speaker] };
const figures = {
  check: quantiles(await checks(target)),
  kit: quantiles(await commandLatencies(target, 'kit', byKit)),
  stream: quantiles(await commandLatencies(target, 'stream')),
  poll: quantiles(await commandLatencies(target, 'poll', byPoll)),
  webhook: quantiles(await commandLatencies(target, 'webhook', byWebhook(receiver))),
};
process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
await service.stop();
await receiver.stop();
directory.remove();

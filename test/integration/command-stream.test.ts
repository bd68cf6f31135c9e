import { connect } from 'node:net';
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SseParser } from '../../src/gateway/sse-parser.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { eventually } from '../support/eventually.js';
import { commandOf as command, restrictionOf as restriction } from '../support/gateway-messages.js';

let stack: ApiStack;
beforeEach(async () => {
  stack = await startApi();
});
afterEach(async () => {
  await stack.close();
});

interface Subscription {
  status: number;
  events: { event: string; id: string; jws: string; data: unknown }[];
  text: () => string;
  ended: () => boolean;
  stop: () => void;
}

async function subscribe(key: string, lastEventId?: string): Promise<Subscription> {
  const abort = new AbortController();
  const response = await fetch(`${stack.url}/v1/commands/stream`, {
    headers: {
      authorization: `Bearer ${secretOf(key)}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    signal: abort.signal,
  });
  const events: Subscription['events'] = [];
  let text = '';
  let ended = false;
  const parser = new SseParser(1_000_000, ({ event, id, data: jws }) => {
    // Signs of life have a test of their own.
    if (event !== 'alive') events.push({ event, id, jws, data: decodeJwt(jws)['body'] });
  });
  const read = async (body: ReadableStream<Uint8Array>) => {
    for await (const chunk of body) {
      text += Buffer.from(chunk).toString();
      parser.push(chunk);
    }
  };
  if (response.ok && response.body !== null) {
    read(response.body)
      .catch(() => {})
      .finally(() => {
        ended = true;
      });
  } else await response.body?.cancel();
  return { status: response.status, events, text: () => text, ended: () => ended, stop: () => abort.abort() };
}

const seen = (s: Subscription) => s.events.map(({ event, id }) => `${event} ${id}`);

it('begins with the whole state of the tenant’s own agents, then sends what changes', async () => {
  stack.board.state = [restriction('agent-a', 1), restriction('agent-b', 1), restriction('agent-a', 1, 'elsewhere')];
  stack.board.sequence = 7;
  stack.board.oldestSequence = 5;
  const all = await subscribe('gateway');
  const bound = await subscribe('gateway-a');
  await eventually('the state', () => all.events.length === 1 && bound.events.length === 1);
  expect(all.events[0]).toMatchObject({
    event: 'state',
    id: '7',
    data: { restrictions: [{ agentId: 'agent-a' }, { agentId: 'agent-b' }] },
  });
  expect(bound.events[0]).toMatchObject({ data: { restrictions: [{ agentId: 'agent-a' }] } });
  stack.board.push({ type: 'command', value: command({}) });
  stack.board.push({ type: 'command', value: command({ id: 'dry', dryRun: true, state: 'proposed' }) });
  stack.board.push({ type: 'restriction', value: restriction('agent-b', 2) });
  stack.board.push({ type: 'restriction', value: restriction('agent-a', 2, 'elsewhere') });
  stack.board.push({ type: 'restriction', value: restriction('agent-a', 3) });
  await eventually('the changes', () => all.events.length === 4 && bound.events.length === 3);
  expect(seen(all)).toEqual(['state 7', 'command 8', 'restriction 10', 'restriction 12']);
  expect(seen(bound)).toEqual(['state 7', 'command 8', 'restriction 12']);
  const person = await subscribe('responder', '7');
  await eventually('proposals for people', () => person.events.length === 4);
  expect(seen(person)).toEqual(['command 8', 'command 9', 'restriction 10', 'restriction 12']);
  for (const s of [all, bound, person]) s.stop();
});

it('continues after Last-Event-ID while that is held, and gives the whole state otherwise', async () => {
  for (let i = 1; i <= 10; i++) stack.board.push({ type: 'restriction', value: restriction('agent-a', i) });
  stack.board.oldestSequence = 4;
  const resumed = await subscribe('gateway', '4');
  await eventually('the rest', () => resumed.events.length === 6);
  expect(seen(resumed)[0]).toBe('restriction 5');
  resumed.stop();
  for (const id of ['3', '99']) {
    const restarted = await subscribe('admin', id);
    await eventually('the state', () => restarted.events.length === 1);
    expect(seen(restarted)).toEqual(['state 10']);
    restarted.stop();
  }
  expect((await subscribe('gateway', 'x')).status).toBe(400);
});

it('signs every message for its reader alone, with a key that is published, and counts them', async () => {
  stack.board.state = [restriction('agent-a', 1)];
  const readers = [await subscribe('gateway'), await subscribe('gateway-a')];
  await eventually('the state', () => readers.every(({ events }) => events.length === 1));
  stack.board.push({ type: 'command', value: command({}) });
  await eventually('the command', () => readers.every(({ events }) => events.length === 2));
  const published = (await (await stack.get('/.well-known/jwks.json', '')).json()) as JSONWebKeySet;
  for (const [i, audience] of ['gateway', 'gateway-a'].entries()) {
    const counters: number[] = [];
    for (const { event, id, jws } of readers[i]?.events ?? []) {
      const { payload, protectedHeader } = await jwtVerify(jws, createLocalJWKSet(published), {
        audience,
        issuer: 'parallax',
        typ: `parallax-${event}+jwt`,
      });
      expect(protectedHeader.alg).toBe('EdDSA');
      expect(payload).toMatchObject({ sequence: Number(id), epoch: expect.any(Number), jti: expect.any(String) });
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeGreaterThanOrEqual(60);
      counters.push(Number(payload['counter']));
    }
    // Signs of life between them count too.
    expect(counters[0]).toBe(1);
    expect(counters[1]).toBeGreaterThan(1);
  }
  for (const reader of readers) reader.stop();
});

it('gives signs of life that carry how far the reader is', async () => {
  const s = await subscribe('gateway');
  await eventually('three heartbeats', () => s.text().split('event: alive').length > 3);
  expect(s.text()).toContain('id: 0\nevent: alive\ndata: ey');
  s.stop();
});

it('gives the whole state again to a subscriber that fell behind what is held', async () => {
  const s = await subscribe('gateway');
  await eventually('the state', () => s.events.length === 1);
  // The board forgets more than the subscriber has read in one go.
  stack.board.entries = [];
  stack.board.sequence = 50;
  stack.board.oldestSequence = 40;
  stack.board.push({ type: 'restriction', value: restriction('agent-a', 51) });
  await eventually('the change', () => s.events.length === 2);
  stack.board.sequence = 90;
  stack.board.oldestSequence = 80;
  const late = await subscribe('gateway', '51');
  await eventually('the state again', () => late.events.length === 1);
  expect(seen(late)).toEqual(['state 90']);
  s.stop();
  late.stop();
});

it('is capped per key, and a closed stream makes room', async () => {
  const [a, b] = [await subscribe('gateway'), await subscribe('gateway')];
  const third = await subscribe('gateway');
  expect(third.status).toBe(429);
  expect((await subscribe('gateway-a')).status).toBe(200);
  a.stop();
  let status = 429;
  for (let i = 0; i < 200 && status === 429; i++) {
    status = (await subscribe('gateway')).status;
    if (status === 429) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(status).toBe(200);
  b.stop();
});

it('ends when the server closes', async () => {
  const s = await subscribe('gateway');
  await eventually('the state', () => s.events.length === 1);
  await stack.server.close(10_000);
  await eventually('the end', () => s.ended());
  expect(seen(s)).toEqual(['state 0']);
});

it('a reader that takes nothing holds up nobody, costs little, and is cut off', async () => {
  const socket = connect({ host: '127.0.0.1', port: stack.server.port });
  socket.pause();
  socket.on('error', () => {});
  socket.write(`GET /v1/commands/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secretOf('gateway')}\r\n\r\n`);
  await eventually('the stream is open', () => stack.api.counters.streamsOpened === 1);
  const quick = await subscribe('gateway');
  const reason = 'x'.repeat(20_000);
  let pushed = 0;
  // More than the sockets' buffers hold.
  for (; pushed < 2_000; pushed++) stack.board.push({ type: 'command', value: command({ id: `c${pushed}`, reason }) });
  await eventually('the quick reader has everything', () => quick.events.length === pushed + 1);
  await eventually('the slow reader is cut off', () => stack.api.counters.streamsStalled > 0);
  expect(stack.api.counters).toMatchObject({ streamsOpened: 2, streamsStalled: 1 });
  socket.destroy();
  quick.stop();
});

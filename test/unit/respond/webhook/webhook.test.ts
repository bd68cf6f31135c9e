import { createHmac, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../src/lib/clock.js';
import type { Acknowledgement } from '../../../../src/model/log-record.js';
import { DestinationError, type PostAnswer } from '../../../../src/respond/webhook/guarded-post.js';
import { Webhook, type WebhookOptions } from '../../../../src/respond/webhook/webhook.js';
import { FakeCommandBoard } from '../../../support/api-stack.js';
import { eventually } from '../../../support/eventually.js';
import { commandOf, restrictionOf } from '../../../support/gateway-messages.js';

const START = Date.parse('2026-03-02T08:00:00Z');
const SECRET = randomBytes(32);

interface Event {
  id: string;
  type: string;
  subject: string;
  sequence: string;
  data: { data: unknown };
}

interface Sent {
  headers: Record<string, string>;
  body: string;
  event: Event;
}

describe('a webhook', () => {
  const webhooks: Webhook[] = [];
  afterEach(async () => {
    for (const webhook of webhooks.splice(0)) await webhook.stop();
  });

  function world(
    answer: (sent: Sent, n: number) => Promise<PostAnswer> | PostAnswer,
    change: Partial<WebhookOptions> = {},
  ) {
    const board = new FakeCommandBoard();
    const clock = new ManualClock(START);
    const sent: Sent[] = [];
    const acks: Acknowledgement[] = [];
    const notices: string[] = [];
    const places: number[] = [];
    const webhook = new Webhook({
      id: 'edge',
      gatewayId: 'edge-gateway',
      rights: { role: 'gateway', tenant: 'default', agents: ['*'] },
      source: 'urn:test',
      keys: { secrets: [SECRET] },
      commands: board,
      place: { read: () => places.at(-1) ?? 0, write: async (sequence) => void places.push(sequence) },
      seal: async (message) => ({ contentType: 'application/json', data: message }),
      post: async (headers, body) => {
        // It is a CloudEvent in structured mode.
        const one = { headers, body, event: JSON.parse(body) as Event };
        sent.push(one);
        return answer(one, sent.length - 1);
      },
      acknowledge: async (ack) => void acks.push(ack),
      clock,
      backoff: { baseMs: 4, maxMs: 16, random: () => 0.5 },
      refreshMs: 60_000,
      staleMs: 60_000,
      onNotice: (_, message) => notices.push(message),
      ...change,
    });
    webhooks.push(webhook);
    const restrict = (version: number) => board.push({ type: 'restriction', value: restrictionOf('agent-a', version) });
    return { board, clock, sent, acks, notices, places, webhook, restrict };
  }
  const taken: PostAnswer = { status: 204, text: '' };
  const types = (sent: Sent[]) => sent.map(({ event }) => `${event.type} ${Number(event.sequence)}`);

  it('posts CloudEvents, signed by Standard Webhooks, each with an id of its own', async () => {
    const { board, sent, webhook, restrict, places } = world(() => taken);
    webhook.start();
    await eventually('the state', () => sent.length === 1);
    board.push({ type: 'command', value: commandOf() });
    restrict(7);
    await eventually('two changes', () => places.length === 3);
    expect(types(sent)).toEqual(['parallax.state 0', 'parallax.command 1', 'parallax.restriction 2']);
    expect(JSON.parse(sent[1]?.body ?? '')).toEqual({
      specversion: '1.0',
      id: 'cmd_1-1',
      source: 'urn:test',
      type: 'parallax.command',
      subject: 'default/agent-a',
      time: '2026-03-02T08:00:00.000Z',
      sequence: '0000000000000001',
      datacontenttype: 'application/json',
      data: { type: 'command', sequence: 1, data: commandOf() },
    });
    for (const { headers, body, event } of sent) {
      const signed = `${event.id}.${START / 1_000}.${body}`;
      expect(headers).toEqual({
        'content-type': 'application/cloudevents+json',
        'webhook-id': event.id,
        'webhook-timestamp': String(START / 1_000),
        'webhook-signature': `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`,
      });
      expect(event.id).toMatch(/^[A-Za-z0-9_-]+$/);
    }
    expect(new Set(sent.map(({ event }) => event.id)).size).toBe(3);
    expect(places).toEqual([0, 1, 2]);
  });

  it('sends a message again, by the same id and in order, until the gateway takes it', async () => {
    const answers = [taken, { status: 500, text: '' }, { status: 302, text: '' }, { status: 429, text: '' }];
    const { sent, webhook, restrict, places, notices } = world((_, n) => {
      if (n === 4) throw new Error('ECONNREFUSED at connect');
      return answers[n] ?? taken;
    });
    webhook.start();
    await eventually('the state', () => places.length === 1);
    restrict(1);
    restrict(2);
    await eventually('everything', () => places.at(-1) === 2);
    expect(types(sent).slice(1)).toEqual([
      ...Array.from({ length: 5 }, () => 'parallax.restriction 1'),
      'parallax.restriction 2',
    ]);
    expect(new Set(sent.slice(1, 6).map(({ event }) => event.id)).size).toBe(1);
    expect(webhook.status()).toEqual({
      delivered: 3,
      retries: 4,
      refusedDestinations: 0,
      acknowledged: 0,
      unreadAnswers: 0,
      sequence: 2,
    });
    expect(notices).toEqual([
      'webhook edge: the gateway answered 500',
      'webhook edge: the gateway answered 302',
      'webhook edge: the gateway answered 429',
      'webhook edge: ECONNREFUSED at connect',
      'webhook edge: delivers again',
    ]);
  });

  it('gives a gateway that was away for a day the full state, and then what changes', async () => {
    let isAway = false;
    const { board, sent, webhook, restrict, clock, places } = world(() => (isAway ? { status: 503, text: '' } : taken));
    webhook.start();
    await eventually('the state', () => places.length === 1);
    isAway = true;
    restrict(1);
    await eventually('a few tries', () => sent.length > 3);
    board.state = [restrictionOf('agent-a', 5_000)];
    for (let version = 2; version <= 5_000; version++) restrict(version);
    clock.advance(24 * 60 * 60_000);
    const before = sent.length;
    isAway = false;
    await eventually('the state', () => places.at(-1) === 5_000);
    restrict(5_001);
    await eventually('the change', () => places.at(-1) === 5_001);
    const came = types(sent.slice(before));
    // At most the try that was under way, the state, and the change.
    expect(came.slice(-2)).toEqual(['parallax.state 5000', 'parallax.restriction 5001']);
    expect(came.length).toBeLessThanOrEqual(3);
    expect(sent.at(-2)?.event.data.data).toEqual({ sequence: 5_000, restrictions: board.state });
  });

  it('tells many changes at once as one state', async () => {
    const { sent, webhook, restrict, places } = world(() => taken);
    webhook.start();
    await eventually('the state', () => places.length === 1);
    for (let version = 1; version <= 65; version++) restrict(version);
    await eventually('all', () => places.at(-1) === 65);
    expect(types(sent)).toEqual(['parallax.state 0', 'parallax.state 65']);
  });

  it('is held up by no other that is slow', async () => {
    const slow = world(() => new Promise<PostAnswer>(() => {}), {
      post: (_headers, _body, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
    });
    const quick = world(() => taken, { commands: slow.board });
    slow.webhook.start();
    quick.webhook.start();
    for (let version = 1; version <= 5; version++) slow.restrict(version);
    await eventually('the quick one has everything', () => quick.places.at(-1) === 5);
    expect(slow.places).toEqual([]);
  });

  it('takes in what the answer confirms, once, and only about commands that the gateway was sent', async () => {
    const say = (...confirmed: unknown[]) => ({ status: 200, text: JSON.stringify({ acknowledgements: confirmed }) });
    const enforced = { commandId: 'cmd_1', effective: 'enforced' };
    const answers = [
      say(),
      say(enforced, { commandId: 'cmd_2', effective: 'enforced' }, { commandId: 'nothing', effective: 'enforced' }),
      say({ ...enforced, effective: 'perhaps' }),
      { status: 200, text: '<html>' },
      { status: 200, text: '{"ok":true}' },
      say(enforced),
    ];
    const { board, webhook, restrict, acks, places } = world((_, n) => answers[n] ?? taken);
    board.commands = [commandOf(), commandOf({ id: 'cmd_2', state: 'proposed' })];
    webhook.start();
    for (let n = 1; n < 5; n++) {
      await eventually('the one before', () => places.length === n);
      restrict(n);
    }
    await eventually('the last', () => places.length === 5);
    board.commands = [
      commandOf({ acknowledgements: [{ gatewayId: 'edge-gateway', effective: 'enforced', time: START }] }),
    ];
    restrict(5);
    await eventually('the repeated one', () => places.length === 6);
    expect(acks).toEqual([
      { time: START, tenant: 'default', commandId: 'cmd_1', gatewayId: 'edge-gateway', effective: 'enforced' },
    ]);
    expect(webhook.status()).toMatchObject({ delivered: 6, acknowledged: 1, unreadAnswers: 1 });
  });

  it('continues after a restart where it was, and says what keeps it from delivering', async () => {
    const before = world(() => taken);
    before.webhook.start();
    await eventually('the state', () => before.places.length === 1);
    before.restrict(1);
    await eventually('the change', () => before.places.length === 2);
    await before.webhook.stop();
    before.restrict(2);
    const after = world(
      () => {
        throw new DestinationError('10.0.0.1 is a private network');
      },
      { commands: before.board, place: { read: () => 1, write: async () => {} } },
    );
    after.webhook.start();
    await eventually('two tries', () => after.sent.length > 1);
    expect(types(after.sent)[0]).toBe('parallax.restriction 2');
    expect(after.webhook.status()).toMatchObject({
      delivered: 0,
      sequence: 1,
      lastError: '10.0.0.1 is a private network',
      failingSince: START,
    });
    expect(after.webhook.status().refusedDestinations).toBeGreaterThan(1);
    expect(after.notices).toEqual(['webhook edge: 10.0.0.1 is a private network']);
  });
});

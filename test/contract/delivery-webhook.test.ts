import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/lib/clock.js';
import type { GatewayMessage } from '../../src/model/gateway-message.js';
import { AddressRules } from '../../src/respond/webhook/address-rules.js';
import { GuardedPost } from '../../src/respond/webhook/guarded-post.js';
import { Webhook } from '../../src/respond/webhook/webhook.js';
import { FakeCommandBoard } from '../support/api-stack.js';
import { CuttingProxy } from '../support/cutting-proxy.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';
import { deliveryContract, type ConnectedGateway, type DeliveryWorld } from './delivery-contract.js';

/** A gateway that is posted to: the observer's side of its connection is a webhook. */
async function open(): Promise<DeliveryWorld> {
  const board = new FakeCommandBoard();
  const places = new Map<ConnectedGateway, number>();
  return {
    board,
    close: async () => {},
    connect: async (id, from) => {
      const receiver = await new WebhookReceiver().start();
      const proxy = await new CuttingProxy(receiver.url, 'to-target').start();
      const target = new GuardedPost({
        url: proxy.url,
        rules: new AddressRules(['127.0.0.1/32']),
        timeoutMs: 5_000,
      });
      let place = from === undefined ? 0 : (places.get(from) ?? 0);
      let isFirst = true;
      const received: GatewayMessage[] = [];
      let signsOfLife = 0;
      receiver.onWebhook = ({ body }) => {
        // The seal below writes the message as it is.
        const { data: message } = JSON.parse(body) as { data: GatewayMessage };
        // A full state that nobody asked for is how a webhook shows that it is alive.
        if (message.type === 'state' && !isFirst) signsOfLife++;
        else received.push(message);
        isFirst = false;
        return { status: 204 };
      };
      const webhook = new Webhook({
        id,
        gatewayId: id,
        rights: { role: 'gateway', tenant: 'default', agents: id === 'gateway' ? ['*'] : ['agent-a'] },
        source: 'urn:test',
        keys: { secrets: [randomBytes(24)] },
        commands: board,
        place: {
          read: () => place,
          write: async (sequence) => {
            place = sequence;
          },
        },
        seal: async (message) => ({ contentType: 'application/json', data: message }),
        post: (headers, body, signal) => target.post(headers, body, signal),
        acknowledge: async () => {},
        clock: systemClock,
        backoff: { baseMs: 5, maxMs: 20, random: Math.random },
        refreshMs: 200,
        staleMs: 60_000,
        onNotice: () => {},
      });
      webhook.start();
      let leaving: Promise<void> | undefined;
      const leave = async (): Promise<void> => {
        await webhook.stop();
        target.close();
        await Promise.all([proxy.stop(), receiver.stop()]);
        places.set(gateway, place);
      };
      const gateway: ConnectedGateway = {
        received,
        signsOfLife: () => signsOfLife,
        cutAfter: (bytes) => proxy.cutAfter(bytes),
        cuts: () => proxy.cuts,
        leave: () => {
          leaving ??= leave();
          return leaving;
        },
      };
      return gateway;
    },
  };
}

deliveryContract('webhook', open);

import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command, Restriction } from '../../src/model/command.js';
import { eventually } from '../support/eventually.js';
import { prepareService, ServiceProcess, type ServiceSetup } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { WebhookReceiver, type ReceivedWebhook } from '../support/webhook-receiver.js';

const SECRET = randomBytes(32);

/** A real observer that is killed between writing a command down and delivering it. */
describe('a webhook over kill -9', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let setup: ServiceSetup;
  let service: ServiceProcess;
  let receiver: WebhookReceiver;

  beforeEach(async () => {
    directory = temporaryDirectory();
    receiver = await new WebhookReceiver().start();
    const secretFile = join(directory.path, 'webhook.secret');
    writeFileSync(secretFile, `whsec_${SECRET.toString('base64')}`);
    setup = prepareService(join(directory.path, 'observer'), {
      mode: 'act',
      // Nothing but what is said about the command is sent during the test.
      respond: { acknowledgeMs: 600_000 },
      deliver: {
        webhooks: [{ id: 'edge', url: receiver.url, secretFile, allowAddresses: ['127.0.0.1/32'], refreshMs: 600_000 }],
      },
    });
    service = await ServiceProcess.start(setup);
    await service.observe('agent-runtime', [
      { time: Date.now(), agentId: 'agent-1', sessionId: 's', stream: 'reasoning', kind: 'prompt', text: 'hello' },
    ]);
    await service.settled();
    await eventually('the full state', () => receiver.received.length === 1);
  }, 120_000);
  afterEach(async () => {
    await service.stop();
    await receiver.stop();
    directory.remove();
  });

  it.each(['away', 'silent'])(
    'delivers what it had written down while the gateway was %s, once by its id',
    async (how) => {
      const { port } = receiver;
      if (how === 'away') await receiver.stop();
      else receiver.onWebhook = () => 'hang';
      const before = receiver.received.length;
      const ordered = await service.post('/v1/contain', { action: 'suspend-agent', agentId: 'agent-1', reason: 'odd' });
      const { commandId } = ordered as { commandId: string };
      await eventually('it is written down', async () => (await commands()).some(({ id }) => id === commandId));
      if (how === 'silent') await eventually('it is under way', () => receiver.received.length > before);
      await service.kill();

      if (how === 'silent') await receiver.stop();
      const heard = await new WebhookReceiver().start(port);
      receiver = heard;
      service = await ServiceProcess.start(setup);
      await eventually('the containment', () =>
        heard.received.some((webhook) => restricted(webhook).includes(commandId)),
      );
      // A new run begins with the full state, and what it holds is not told again.
      expect(heard.received.map(kindOf)).toEqual(['parallax.state']);
      expect(restricted(heard.received[0])).toEqual([commandId]);

      heard.onWebhook = (webhook) => ({
        status: 200,
        body: JSON.stringify({
          acknowledgements: restricted(webhook).length === 0 ? [{ commandId, effective: 'lifted' }] : [],
        }),
      });
      await service.post(`/v1/commands/${commandId}/lift`, { reason: 'all clear' });
      await eventually('the lift is confirmed', async () =>
        (await commands()).some(({ acknowledgements }) => acknowledgements.some((ack) => ack.effective === 'lifted')),
      );
      const ids = heard.received.map(({ headers }) => headers['webhook-id']);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { headers, body } of heard.received) {
        const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
        const expected = `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`;
        expect(headers['webhook-signature']).toBe(expected);
      }
      expect(await service.get('/v1/status')).toMatchObject({ webhooks: { edge: { retries: 0, acknowledged: 1 } } });
    },
    180_000,
  );

  async function commands(): Promise<Command[]> {
    // The route answers with this.
    return ((await service.get('/v1/commands')) as { commands: Command[] }).commands;
  }
});

function kindOf({ body }: ReceivedWebhook): unknown {
  return (JSON.parse(body) as { type: unknown }).type;
}

/** Ids of the commands that a message says are in force. */
function restricted(webhook: ReceivedWebhook | undefined): string[] {
  const { type, data } = JSON.parse(webhook?.body ?? '{}') as { type: string; data: string };
  const { body } = decodeJwt<{ body: Restriction & { restrictions: Restriction[] } }>(data);
  const all = type === 'parallax.state' ? body.restrictions : type === 'parallax.restriction' ? [body] : [];
  return all.flatMap(({ suspensions = [] }) => suspensions.map(({ commandId }) => commandId));
}

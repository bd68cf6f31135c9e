import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayClient, GatewayClientOptions } from '../../src/gateway/client.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { eventually } from '../support/eventually.js';
import { kitFor, revokeCommand, revoked } from '../unit/gateway/kit.js';

/** The kit where it asks for commands instead of reading a stream, against the real API. */
describe('the kit by long poll', () => {
  let api: ApiStack;
  let kit: GatewayClient | undefined;
  const paths: string[] = [];

  beforeEach(async () => {
    api = await startApi();
    paths.length = 0;
  });
  afterEach(async () => {
    await kit?.close(0);
    await api.close();
  });

  function open(options: Partial<GatewayClientOptions>, fetchOf = globalThis.fetch): GatewayClient {
    ({ kit } = kitFor(api.url, {
      key: secretOf('gateway'),
      fetch: (input, init) => {
        // The kit asks with texts.
        paths.push(new URL(input instanceof Request ? input.url : input).pathname);
        return fetchOf(input, init);
      },
      ...options,
    }));
    return kit;
  }

  async function revoke(version: number, ...sessionIds: string[]): Promise<void> {
    const command = revokeCommand(sessionIds.at(-1) ?? '');
    api.board.commands.push(command);
    api.board.push({ type: 'command', value: command });
    api.board.push({ type: 'restriction', value: revoked(version, ...sessionIds) });
    await eventually('it is revoked', () => kit?.restrictionOn('a', command.sessionId, 'read') !== undefined);
  }

  it('takes the state and the changes, and confirms them', async () => {
    api.board.state = [revoked(1, 's1')];
    api.board.commands.push(revokeCommand('s1'));
    api.board.sequence = 1;
    const polling = open({ delivery: 'poll' });
    expect(await polling.subscribe()).toBe(true);
    expect(polling.restrictionOn('a', 's1', 'read')).toBeDefined();
    await revoke(2, 's1', 's2');
    await eventually('both are confirmed', () => api.journal.acks.length === 2);
    api.board.push({ type: 'restriction', value: revoked(3, 's2') });
    await eventually('it is lifted', () => polling.restrictionOn('a', 's1', 'read') === undefined);
    expect(paths).not.toContain('/v1/commands/stream');
    expect(polling.counters()).toMatchObject({ messagesRefused: 0, streamConnects: 1, streamLosses: 0 });
  });

  it('is what it falls back to where something on the way holds streams back', async () => {
    const holdingBack: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
      // The head comes through, the body does not until it is over.
      return new Response(new ReadableStream({ cancel: () => response.body?.cancel() }), { headers: response.headers });
    };
    const kept = open({ limits: { silenceMs: 50, retryBaseMs: 5, retryMaxMs: 20 } }, holdingBack);
    expect(await kept.subscribe()).toBe(true);
    await revoke(1, 's1');
    await eventually('it is confirmed', () => api.journal.acks.length === 1);
    expect(paths.filter((path) => path === '/v1/commands/stream')).toHaveLength(3);
    expect(kept.counters().messagesRefused).toBe(0);
  });
});

import { join } from 'node:path';
import { decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayClient } from '../../src/gateway/client.js';
import { SseParser, type StreamEvent } from '../../src/gateway/sse-parser.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { eventually } from '../support/eventually.js';
import { FakeObserver, rawEvent } from '../support/fake-observer.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { kitFor, revokeCommand, revoked } from '../unit/gateway/kit.js';

const DAY_MS = 24 * 60 * 60_000;

/** Commands as the real API signs them, at the real kit, over real HTTP. */
describe('signed commands', () => {
  let api: ApiStack;
  let directory: ReturnType<typeof temporaryDirectory>;
  const kits: GatewayClient[] = [];

  beforeEach(async () => {
    directory = temporaryDirectory();
    api = await startApi();
  });
  afterEach(async () => {
    for (const kit of kits.splice(0)) await kit.close(0);
    await api.close();
    directory.remove();
  });
  const connectKit = (options: Parameters<typeof kitFor>[1] = {}, url = api.url) => {
    const made = kitFor(url, {
      key: secretOf('gateway'),
      stateFile: join(directory.path, 'state.json'),
      ...options,
      limits: { retryBaseMs: 5, retryMaxMs: 20, keyRefetchMs: 0, ...options.limits },
    });
    kits.push(made.kit);
    return made;
  };
  const isRevoked = (kit: GatewayClient, sessionId: string) => kit.restrictionOn('a', sessionId, 'read') !== undefined;
  function revoke(...sessionIds: string[]): void {
    const command = revokeCommand(sessionIds.at(-1) ?? '');
    api.board.commands.push(command);
    api.board.push({ type: 'command', value: command });
    const restriction = revoked(api.board.sequence, ...sessionIds);
    api.board.state = [restriction];
    api.board.push({ type: 'restriction', value: restriction });
  }
  /** What the stream sends to the gateway, as somebody on the way could keep it. */
  async function record(count: number): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    const abort = new AbortController();
    const headers = { authorization: `Bearer ${secretOf('gateway')}` };
    const response = await fetch(`${api.url}/v1/commands/stream`, { headers, signal: abort.signal });
    const parser = new SseParser(1_000_000, (event) => events.push(event));
    for await (const chunk of response.body ?? []) {
      parser.push(chunk);
      if (events.length >= count) break;
    }
    abort.abort();
    return events;
  }

  it.each(['EdDSA', 'RS256'] as const)('are enforced and acknowledged when signed with %s', async (algorithm) => {
    await api.close();
    api = await startApi({ signing: { algorithm } });
    const [state] = await record(1);
    expect(decodeProtectedHeader(state?.data ?? '')).toMatchObject({ alg: algorithm, typ: 'parallax-state+jwt' });
    const { kit } = connectKit();
    await kit.subscribe();
    revoke('s1');
    await eventually('it is revoked', () => isRevoked(kit, 's1'));
    await eventually('it is acknowledged', () => api.journal.acks.length === 1);
    expect(kit.counters().messagesRefused).toBe(0);
  });

  it('go on over a rotation in the middle of a stream, and the kit needs no restart', async () => {
    const { kit } = connectKit();
    await kit.subscribe();
    revoke('s1');
    await eventually('before', () => isRevoked(kit, 's1'));
    for (const sessionId of ['s2', 's3']) {
      const rotated = await api.post('/v1/keys/rotate', {}, { key: 'admin' });
      expect(rotated.status).toBe(201);
      revoke('s1', sessionId);
      await eventually('after', () => isRevoked(kit, sessionId));
    }
    const published = (await (await api.get('/.well-known/jwks.json', '')).json()) as { keys: unknown[] };
    expect(published.keys).toHaveLength(3);
    expect(kit.counters()).toMatchObject({ messagesRefused: 0, streamConnects: 1 });
    expect((await api.post('/v1/keys/rotate', {}, { key: 'stranger' })).status).toBe(403);
  });

  it('of another gateway are refused, even those that its own key could fetch', async () => {
    const { kit, events } = connectKit({ gatewayId: 'somebody-else' });
    void kit.subscribe();
    await eventually('they are refused', () => kit.refusals().audience > 0);
    expect(events).toContainEqual({
      type: 'message-refused',
      reason: 'audience',
      detail: 'it is for "gateway", this gateway is "somebody-else"',
    });
  });

  it('played again a day later lift nothing and bring nothing back', async () => {
    revoke('s1');
    const kept = await record(1);
    revoke('s1', 's2');
    const first = connectKit();
    await first.kit.subscribe();
    expect(isRevoked(first.kit, 's2')).toBe(true);
    await eventually('both are acknowledged', () => api.journal.acks.length === 2);
    await first.kit.close(0);
    // A day later, somebody in the observer's place plays what was kept. The keys are the real ones.
    const impostor = await new FakeObserver().start();
    impostor.publicKeys = await (await api.get('/.well-known/jwks.json', '')).json();
    impostor.greeting = () => kept.map(({ event, data, id }) => rawEvent(event, data, Number(id))).join('');
    const sameDay = connectKit({}, impostor.url);
    void sameDay.kit.subscribe();
    await eventually('it was here before', () => sameDay.kit.refusals().replayed > 0);
    expect([isRevoked(sameDay.kit, 's1'), isRevoked(sameDay.kit, 's2')]).toEqual([true, true]);
    await sameDay.kit.close(0);
    const nextDay = connectKit({ clock: { now: () => Date.now() + DAY_MS } }, impostor.url);
    void nextDay.kit.subscribe();
    await eventually('it is too old', () => nextDay.kit.refusals().expired > 0);
    expect(isRevoked(nextDay.kit, 's1')).toBe(false);
    expect(impostor.acknowledgements).toEqual([]);
    await nextDay.kit.close(0);
    await impostor.stop();
  });

  it('are held by a kit that restarts while the observer is away, until it is back', async () => {
    revoke('s1');
    const first = connectKit({ silentAfterMs: 60_000 });
    await first.kit.subscribe();
    await eventually('it is acknowledged', () => api.journal.acks.length === 1);
    await first.kit.close(0);
    await api.server.close(0);
    const second = connectKit({ silentAfterMs: 300 });
    expect(isRevoked(second.kit, 's1')).toBe(true);
    void second.kit.subscribe();
    await eventually('the observer is missed', () => second.kit.counters().silences === 1);
    expect(second.kit.localDecision({ agentId: 'a', sessionId: 's9', tool: 'pay', effect: 'write' })).toMatchObject({
      decision: 'deny',
      source: 'posture',
    });
    expect(isRevoked(second.kit, 's1')).toBe(true);
    await second.kit.close(0);
    await api.close();
    // Another start of the observer, with other keys: its state counts.
    api = await startApi();
    const third = connectKit();
    expect(isRevoked(third.kit, 's1')).toBe(true);
    await third.kit.subscribe();
    expect(third.events.some(({ type }) => type === 'observer-went-back')).toBe(true);
    expect(isRevoked(third.kit, 's1')).toBe(true);
    api.board.sequence = 100;
    const lifted = revoked(200);
    api.board.push({ type: 'restriction', value: lifted });
    await eventually('it is lifted', () => !isRevoked(third.kit, 's1'));
  });

  it('come from the observer that started last where two run by mistake', async () => {
    const other = await startApi();
    other.board.state = [revoked(1, 's2')];
    other.board.sequence = 5;
    revoke('s1');
    const byNewer = connectKit({}, other.url);
    await byNewer.kit.subscribe();
    await eventually(
      'the newer is obeyed',
      () => other.journal.acks.length + byNewer.kit.counters().acknowledgementsDropped > 0,
    );
    await byNewer.kit.close(0);
    const byOlder = connectKit();
    void byOlder.kit.subscribe();
    await eventually('the older is refused', () => byOlder.kit.refusals()['older-epoch'] > 0);
    expect([isRevoked(byOlder.kit, 's1'), isRevoked(byOlder.kit, 's2')]).toEqual([false, true]);
    await byOlder.kit.close(0);
    await other.close();
  });

  it('can be verified by anybody: the keys are open, and hold nothing private', async () => {
    const published: unknown = await (await api.get('/.well-known/jwks.json', '')).json();
    expect(published).toEqual({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: expect.any(String), alg: 'EdDSA', use: 'sig' }],
    });
  });
});

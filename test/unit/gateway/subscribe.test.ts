import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { FakeObserver, rawEvent, sse } from '../../support/fake-observer.js';
import { attempt, kitFor, revokeCommand, revoked } from './kit.js';

describe('subscribe', () => {
  let observer: FakeObserver;
  const closers: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    observer = await new FakeObserver().start();
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    await observer.stop();
  });
  const make = (...args: Parameters<typeof kitFor>) => {
    const made = kitFor(...args);
    closers.push(() => made.kit.close(0));
    return made;
  };
  const denied = (kit: ReturnType<typeof kitFor>['kit'], sessionId: string) =>
    kit.restrictionOn('a', sessionId, 'read') !== undefined;

  it('enforces the full state, then changes, and acknowledges each once it is in force', async () => {
    const { kit } = make(observer.url);
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 10);
    await kit.subscribe();
    expect(denied(kit, 's1')).toBe(true);
    observer.write(`: heartbeat\n\n${sse('restriction', revoked(2, 's1', 's2'), 11)}`);
    await eventually('s2 is revoked', () => denied(kit, 's2'));
    await eventually('both are acknowledged', () => observer.acknowledgements.length === 2);
    expect(observer.acknowledgements).toEqual([
      { commandId: 'cmd-s1', body: { effective: 'enforced' } },
      { commandId: 'cmd-s2', body: { effective: 'enforced' } },
    ]);
    observer.write(sse('restriction', revoked(3, 's2'), 12));
    await eventually('the lift is acknowledged', () => observer.acknowledgements.length === 3);
    expect(denied(kit, 's1')).toBe(false);
    expect(observer.acknowledgements[2]).toEqual({ commandId: 'cmd-s1', body: { effective: 'lifted' } });
  });

  it('enforces a single command before the full state follows, and ignores dry runs', async () => {
    const { kit } = make(observer.url);
    await kit.subscribe();
    observer.write(sse('command', { ...revokeCommand('s9'), dryRun: true }, 1));
    observer.write(sse('command', revokeCommand('s3'), 2));
    await eventually('s3 is revoked', () => denied(kit, 's3'));
    await eventually('it is acknowledged', () => observer.acknowledgements.length === 1);
    expect(denied(kit, 's9')).toBe(false);
    expect(observer.acknowledgements[0]?.commandId).toBe('cmd-s3');
  });

  it('acts once on duplicates and ignores old versions', async () => {
    const { kit } = make(observer.url);
    await kit.subscribe();
    const two = sse('restriction', revoked(2, 's1'), 2);
    const again = sse('restriction', revoked(2, 's1'), 2);
    observer.write(two + two + sse('restriction', revoked(1), 1) + sse('command', revokeCommand('s1'), 3) + again);
    observer.write(sse('restriction', revoked(4, 's1', 's2'), 4));
    await eventually('everything was read', () => denied(kit, 's2'));
    // The kit counts when the answer has come, a moment after the observer has.
    await eventually('both are acknowledged', () => kit.counters().acknowledged === 2);
    expect(observer.acknowledgements).toHaveLength(2);
    expect(denied(kit, 's1')).toBe(true);
    expect(kit.counters()).toMatchObject({ restrictionsIgnored: 1, messagesRefused: 1 });
    expect(kit.refusals().replayed).toBe(1);
  });

  it('resumes after the last whole event when the connection drops in the middle of one', async () => {
    const { kit } = make(observer.url);
    await kit.subscribe();
    observer.write(sse('restriction', revoked(1, 's1'), 5));
    await eventually('s1 is revoked', () => denied(kit, 's1'));
    observer.greeting = () => sse('restriction', revoked(2, 's1', 's2'), 6);
    observer.write('id: 6\nevent: restriction\ndata: {"tenant":"def');
    observer.cutStreams();
    await eventually('s2 is revoked', () => denied(kit, 's2'));
    expect(observer.subscriptions.map((s) => s.lastEventId)).toEqual([undefined, '5']);
    expect(denied(kit, 's1')).toBe(true);
  });

  it('resumes after the place that the last heartbeat named', async () => {
    const { kit } = make(observer.url);
    await kit.subscribe();
    observer.write(`: alive\nid: 41\n\n${sse('restriction', revoked(1, 's1'), 42)}: alive\nid: 57\n\n: alive\nid: 9`);
    await eventually('s1 is revoked', () => denied(kit, 's1'));
    observer.cutStreams();
    await eventually('a second subscription', () => observer.subscriptions.length === 2);
    expect(observer.subscriptions[1]?.lastEventId).toBe('57');
  });

  it.each([
    ['garbage bytes', new Uint8Array([0x64, 0x61, 0xff, 0xfe, 0x0a, 0x0a])],
    ['an event that is no JWS', rawEvent('restriction', '{nonsense', 6)],
    ['a restriction of another shape', sse('restriction', { agentId: 'a', version: '2' }, 6)],
    ['a huge event', `data: ${'x'.repeat(20_000)}`],
  ])('keeps what is in force and asks for the full state again after %s', async (_name, noise) => {
    const { kit, events } = make(observer.url, { limits: { retryBaseMs: 5, retryMaxMs: 20, eventChars: 10_000 } });
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 5);
    await kit.subscribe();
    observer.greeting = () => sse('state', { restrictions: [revoked(2, 's1', 's2')] }, 7);
    observer.write(noise);
    await eventually('the new state is in force', () => denied(kit, 's2'));
    expect(denied(kit, 's1')).toBe(true);
    expect(observer.subscriptions.map((s) => s.lastEventId)).toEqual([undefined, undefined]);
    expect(events.some((e) => e.type === 'stream-lost')).toBe(true);
  });

  it('ignores events it does not know', async () => {
    const { kit } = make(observer.url);
    await kit.subscribe();
    observer.write(`${sse('weather', 'fine', 1)}${sse('restriction', revoked(1, 's1'), 2)}`);
    await eventually('s1 is revoked', () => denied(kit, 's1'));
    expect(kit.counters().streamLosses).toBe(0);
  });

  it('reconnects when the observer falls silent', async () => {
    const { kit } = make(observer.url, { limits: { retryBaseMs: 5, retryMaxMs: 20, silenceMs: 100 } });
    await kit.subscribe();
    await eventually('a second subscription', () => observer.subscriptions.length >= 2);
    expect(kit.counters().streamLosses).toBeGreaterThanOrEqual(1);
  });

  it('keeps trying through refusals, and does not loosen by a state from before', async () => {
    const { kit, events } = make(observer.url);
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 50);
    observer.faults.stream.push({ status: 503 }, 'reset', { status: 200 });
    expect(await kit.subscribe()).toBe(true);
    expect(kit.counters().streamLosses).toBe(3);
    // An observer that was started from an old copy of its data: a new epoch at a place before the one it had reached.
    const epoch = { claims: { epoch: 2 } };
    observer.greeting = () => sse('state', { restrictions: [] }, 2, epoch);
    observer.cutStreams();
    await eventually('the older state came', () => events.some(({ type }) => type === 'observer-went-back'));
    observer.write(sse('restriction', { ...revoked(1, 's7'), agentId: 'b' }, 3, epoch));
    await eventually('it was read', () => kit.restrictionOn('b', 's7', 'x') !== undefined);
    expect(denied(kit, 's1')).toBe(true);
  });

  it('retries acknowledgements until they are heard, and gives up on a refusal', async () => {
    const { kit, events } = make(observer.url);
    observer.faults.ack.push({ status: 500 }, 'reset', { status: 429, headers: { 'retry-after': '0' } });
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 1);
    await kit.subscribe();
    await eventually('acknowledged', () => kit.counters().acknowledged === 1);
    expect(observer.acknowledgements).toHaveLength(1);
    observer.faults.ack.push({ status: 404 });
    observer.write(sse('restriction', revoked(2, 's1', 's2'), 2));
    await eventually('given up', () => kit.counters().acknowledgementsDropped === 1);
    expect(events).toContainEqual({
      type: 'acknowledgement-dropped',
      commandId: 'cmd-s2',
      cause: 'the observer answered 404',
    });
  });

  it('confirms as rejected what no longer fits', async () => {
    const { kit } = make(observer.url, { limits: { restrictions: 1 } });
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1', 's2')] }, 1);
    await kit.subscribe();
    await eventually('both confirmed', () => observer.acknowledgements.length === 2);
    expect(observer.acknowledgements[1]).toMatchObject({ commandId: 'cmd-s2', body: { effective: 'rejected' } });
    expect(kit.counters().restrictionsRejected).toBe(1);
    expect(await kit.check({ ...attempt, sessionId: 's2' })).toMatchObject({ source: 'observer' });
  });

  it('ends a waiting subscribe on close', async () => {
    const { kit } = make('http://127.0.0.1:1');
    const subscribed = kit.subscribe();
    await kit.close(0);
    expect(await subscribed).toBe(false);
  });
});

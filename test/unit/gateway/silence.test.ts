import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { FakeObserver, sse } from '../../support/fake-observer.js';
import { newTestKey } from '../../support/message-signing.js';
import { attempt, kitFor, revoked } from './kit.js';

const SILENT_MS = 1_500;

describe('an observer that falls silent', () => {
  let observer: FakeObserver;
  let made: ReturnType<typeof kitFor>;
  const start = async (options: Parameters<typeof kitFor>[1] = {}) => {
    made = kitFor(observer.url, { silentAfterMs: SILENT_MS, ...options });
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 10);
    await made.kit.subscribe();
  };
  const isSilent = () => made.events.filter(({ type }) => type === 'observer-silent').length;
  const isHeard = () => made.events.filter(({ type }) => type === 'observer-heard').length;

  beforeEach(async () => {
    observer = await new FakeObserver().start();
  });
  afterEach(async () => {
    await made.kit.close(0);
    await observer.stop();
  });

  it('is not asked any more: the posture decides, and is back to normal when it is heard', async () => {
    await start();
    const other = { ...attempt, sessionId: 'free' };
    expect(await made.kit.check(other)).toMatchObject({ source: 'observer' });
    await eventually('it is silent', () => isSilent() === 1);
    expect(await made.kit.check(other)).toEqual({
      decision: 'deny',
      source: 'posture',
      reason: "the observer has been silent for too long; this gateway's posture for write calls is closed",
      timedOut: false,
    });
    expect(await made.kit.check({ ...other, effect: 'read' })).toMatchObject({ decision: 'allow', source: 'posture' });
    // What is restricted stays so, and says why.
    expect(await made.kit.check(attempt)).toMatchObject({ source: 'memory', commandId: 'cmd-s1' });
    expect(observer.checks).toHaveLength(1);
    expect(made.kit.counters()).toMatchObject({ whileSilent: 2, silences: 1, postureOpen: 1, postureClosed: 1 });
    observer.write(sse('alive', {}, 11));
    await eventually('it is heard', () => isHeard() === 1);
    expect(await made.kit.check(other)).toMatchObject({ source: 'observer' });
    expect(made.events.find(({ type }) => type === 'observer-heard')).toMatchObject({ silentMs: expect.any(Number) });
  });

  it('is not silent while its signed signs of life come', async () => {
    await start({ silentAfterMs: 2_000 });
    for (let i = 0; i < 10; i++) {
      observer.write(sse('alive', {}, 11 + i));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(isSilent()).toBe(0);
  });

  it.each([
    ['comments', () => ': alive\nid: 11\n\n'],
    ['what it did not sign', () => sse('alive', {}, 11, { key: newTestKey('test-key') })],
    ['events that nobody knows', () => 'event: weather\ndata: fine\n\n'],
  ])('is silent although %s come', async (_name, noise) => {
    await start();
    observer.greeting = noise;
    const timer = setInterval(() => observer.write(noise()), 20);
    await eventually('it is silent', () => isSilent() === 1);
    clearInterval(timer);
    expect(isHeard()).toBe(0);
  });

  it('leaves a gateway that never subscribed alone', async () => {
    made = kitFor(observer.url, { silentAfterMs: 1 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await made.kit.check(attempt)).toMatchObject({ source: 'observer' });
    expect(made.kit.counters().silences).toBe(0);
  });

  it('has a posture by tier, which counts before the one by effect', async () => {
    await start({ posture: { write: 'open' }, tierPosture: { approval: 'closed', autonomous: 'open' } });
    await eventually('it is silent', () => isSilent() === 1);
    const decide = (call: object) => made.kit.localDecision({ ...attempt, sessionId: 'free', ...call });
    expect(decide({})?.decision).toBe('allow');
    expect(decide({ tier: 'approval' })).toMatchObject({
      decision: 'deny',
      reason: expect.stringContaining("this gateway's posture for calls of tier approval is closed"),
    });
    expect(decide({ tier: 'autonomous', effect: 'auth' })?.decision).toBe('allow');
    expect(decide({ tier: 'prohibited', effect: 'auth' })?.decision).toBe('deny');
  });
});

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { FakeObserver, sse } from '../../support/fake-observer.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { attempt, kitFor, revoked } from './kit.js';

/** Nobody listens there. */
const AWAY = 'http://127.0.0.1:1';

describe('the restriction state on disk', () => {
  let observer: FakeObserver;
  let directory: ReturnType<typeof temporaryDirectory>;
  let stateFile: string;
  const closers: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    observer = await new FakeObserver().start();
    directory = temporaryDirectory();
    stateFile = join(directory.path, 'state.json');
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    await observer.stop();
    directory.remove();
  });
  const make = (url: string, options: Parameters<typeof kitFor>[1] = {}) => {
    const made = kitFor(url, { stateFile, ...options });
    closers.push(() => made.kit.close(0));
    return made;
  };
  /** A kit that has taken in what is to be kept, and is gone again. */
  async function keep(...events: string[]): Promise<void> {
    const { kit } = kitFor(observer.url, { stateFile });
    observer.greeting = () => events.join('');
    await kit.subscribe();
    await eventually('all is confirmed', () => kit.counters().acknowledged > 0);
    await kit.close(0);
  }

  it('is in force before the observer answers, and while it is away', async () => {
    await keep(sse('state', { restrictions: [revoked(1, 's1')] }, 10));
    const { kit, events } = make(AWAY);
    expect(events).toEqual([{ type: 'state-kept', restrictions: 1 }]);
    expect(await kit.check(attempt)).toMatchObject({
      decision: 'deny',
      source: 'memory',
      commandId: 'cmd-s1',
      reason: expect.stringContaining('this session is revoked until'),
    });
    void kit.subscribe();
    await eventually('the observer is looked for', () => kit.counters().streamLosses > 1);
    expect(kit.restrictionOn('a', 's1', 'read')?.commandId).toBe('cmd-s1');
    expect(kit.restrictionOn('a', 's2', 'read')).toBeUndefined();
  });

  it('ends by time while nobody listens', async () => {
    await keep(sse('state', { restrictions: [revoked(1, 's1')] }, 10));
    const { kit } = make(AWAY, { clock: { now: () => Date.now() + 3_600_001 } });
    expect(kit.restrictionOn('a', 's1', 'read')).toBeUndefined();
    expect(kit.counters().restrictionsHeld).toBe(0);
  });

  it('is readable by the owner only, and holds no key', async () => {
    await keep(sse('state', { restrictions: [revoked(1, 's1')] }, 10));
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);
    const text = readFileSync(stateFile, 'utf8');
    expect(text).toContain('cmd-s1');
    expect(text).not.toContain('gateway-key');
  });

  it('is on disk before it is confirmed', async () => {
    let kept = '';
    const { kit } = make(observer.url, {
      onEvent: ({ type }) => {
        if (type === 'acknowledged') kept = readFileSync(stateFile, 'utf8');
      },
    });
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 10);
    await kit.subscribe();
    await eventually('it is confirmed', () => kept !== '');
    expect(kept).toContain('cmd-s1');
  });

  it('refuses after a restart what was there before it, whoever plays it', async () => {
    const lifted = sse('restriction', revoked(1), 9);
    const state = sse('state', { restrictions: [revoked(2, 's1')] }, 10);
    await keep(state);
    const { kit } = make(observer.url);
    observer.greeting = () => lifted + state + lifted;
    void kit.subscribe();
    await eventually('all are refused', () => kit.refusals().replayed >= 3);
    expect(kit.restrictionOn('a', 's1', 'read')).toBeDefined();
    observer.write(sse('state', { restrictions: [] }, 11));
    await eventually('what is new counts', () => kit.restrictionOn('a', 's1', 'read') === undefined);
  });

  it('gives way to the observer’s full state, which lifts what ended meanwhile', async () => {
    await keep(sse('state', { restrictions: [revoked(1, 's1', 's2')] }, 10));
    observer.greeting = () => sse('state', { restrictions: [revoked(2, 's2')] }, 12);
    const { kit } = make(observer.url);
    await kit.subscribe();
    expect(kit.restrictionOn('a', 's1', 'read')).toBeUndefined();
    expect(kit.restrictionOn('a', 's2', 'read')).toBeDefined();
    await eventually('the lift is confirmed', () =>
      observer.acknowledgements.some(({ commandId, body }) => {
        return commandId === 'cmd-s1' && JSON.stringify(body) === '{"effective":"lifted"}';
      }),
    );
  });

  it('that is damaged is reported, and the posture holds until the observer has said what is in force', async () => {
    writeFileSync(stateFile, '{"version":1,"commands":[{}]}');
    observer.faults.stream.push('reset');
    const { kit, events } = make(observer.url);
    expect(events).toMatchObject([{ type: 'kept-state-unusable', cause: `${stateFile}: it is damaged` }]);
    const subscribed = kit.subscribe();
    expect(await kit.check(attempt)).toMatchObject({ decision: 'deny', source: 'posture' });
    expect(observer.checks).toEqual([]);
    await subscribed;
    expect(await kit.check(attempt)).toMatchObject({ source: 'observer' });
  });

  it('of another gateway is not taken for its own', async () => {
    await keep(sse('state', { restrictions: [revoked(1, 's1')] }, 10));
    const { kit, events } = make(AWAY, { gatewayId: 'other' });
    expect(events).toMatchObject([
      { type: 'kept-state-unusable', cause: `${stateFile}: it belongs to gateway "gateway" of "parallax"` },
    ]);
    expect(kit.restrictionOn('a', 's1', 'read')).toBeUndefined();
  });

  it('that cannot be written is refused at the start, with the path', () => {
    writeFileSync(stateFile, '{}');
    const path = join(stateFile, 'state.json');
    expect(() => make(AWAY, { stateFile: path })).toThrow(`${path}: the restriction state cannot be kept here`);
  });

  it('that can no longer be written is reported, and still enforced and confirmed, with that said', async () => {
    const { kit, events } = make(observer.url);
    directory.remove();
    observer.greeting = () => sse('state', { restrictions: [revoked(1, 's1')] }, 10);
    await kit.subscribe();
    expect(kit.restrictionOn('a', 's1', 'read')).toBeDefined();
    await eventually('it is confirmed', () => observer.acknowledgements.length === 1);
    expect(observer.acknowledgements[0]?.body).toEqual({ effective: 'enforced', detail: 'in memory only' });
    expect(kit.counters().stateNotKept).toBe(1);
    expect(events.some(({ type }) => type === 'state-not-kept')).toBe(true);
  });

  it('survives a hundred changes at once, and is the newest', async () => {
    const { kit } = make(observer.url);
    await kit.subscribe();
    const sessions = Array.from({ length: 100 }, (_, i) => `s${i}`);
    observer.write(
      sessions.map((_, i) => sse('restriction', revoked(i + 1, ...sessions.slice(0, i + 1)), i + 1)).join(''),
    );
    await eventually('all are confirmed', () => kit.counters().acknowledged === 100);
    await kit.close(0);
    const again = make(AWAY);
    expect(sessions.filter((s) => again.kit.restrictionOn('a', s, 'read') === undefined)).toEqual([]);
  });
});

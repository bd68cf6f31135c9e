import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AddressRules } from '../../../src/respond/webhook/address-rules.js';
import { GuardedPost } from '../../../src/respond/webhook/guarded-post.js';
import { HeartbeatSource } from '../../../src/telemetry/heartbeat.js';
import { ScoringProgress } from '../../../src/telemetry/scoring-progress.js';
import { eventually } from '../../support/eventually.js';
import { WebhookReceiver } from '../../support/webhook-receiver.js';

const EVERY_MS = 10;

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await new WebhookReceiver().start();
});
afterEach(() => receiver.stop());

/** Real time and a real receiver; a log that ticks, and scoring that a test stops. */
function world(allowAddresses: string[] = ['127.0.0.0/8']) {
  const at = { head: 0, effectsPosition: 1, isScoring: true };
  const clock = { now: () => Date.now() };
  const partition = { log: at, scoring: at };
  const progress = new ScoringProgress({
    partitions: () => [partition],
    clock,
    elapsedMs: () => performance.now(),
  });
  const ticking = setInterval(() => {
    at.head++;
    progress.appended();
    if (at.isScoring) at.effectsPosition = at.head + 1;
  }, EVERY_MS / 2);
  const target = new GuardedPost({
    url: `${receiver.url}/ping`,
    rules: new AddressRules(allowAddresses),
    timeoutMs: 1_000,
  });
  const notices: string[] = [];
  const heartbeat = new HeartbeatSource({
    progress,
    signer: { sign: async ({ kind, sequence }) => `${kind}.${sequence}` },
    clock,
    freshMs: 200,
    push: { everyMs: EVERY_MS, post: (headers, body, signal) => target.post(headers, body, signal) },
    onNotice: (_level, message) => notices.push(message),
  });
  heartbeat.start();
  const stop = async () => {
    clearInterval(ticking);
    await heartbeat.stop();
    target.close();
  };
  return { at, heartbeat, notices, stop };
}

describe('the heartbeat', () => {
  it('goes silent while ticks are written and none is carried through, and says so once', async () => {
    const { at, heartbeat, notices, stop } = world();
    await eventually('beats', () => receiver.received.length > 3);
    expect(await heartbeat.current()).toMatchObject({ jws: expect.stringMatching(/^heartbeat\.\d+$/) });
    at.isScoring = false;
    // The log grows on, as it does while scoring hangs.
    const { head } = at;
    await eventually('beats are withheld', () => heartbeat.results.withheld > 5 && at.head > head + 5);
    const silent = receiver.received.length;
    await eventually('more are withheld', () => heartbeat.results.withheld > 20);
    expect(receiver.received.length).toBe(silent);
    expect(notices).toEqual(['the heartbeat is withheld: scoring has not advanced since the last one']);
    await eventually('the sign is old', async () => (await heartbeat.current()) === undefined);
    at.isScoring = true;
    await eventually('it beats again', () => receiver.received.length > silent + 2);
    expect(notices.at(-1)).toBe('the heartbeat is taken again');
    await stop();
  });

  it('outlives a receiver that fails, hangs up or refuses', async () => {
    receiver.answers.push({ status: 500 }, 'break', { status: 404 });
    const { heartbeat, notices, stop } = world();
    await eventually('it got through', () => heartbeat.results.sent > 2);
    expect(heartbeat.results.failed).toBeGreaterThanOrEqual(2);
    expect(notices[0]).toBe('the heartbeat could not be delivered: the receiver answered 500');
    expect(heartbeat.lastSentMs).toBeGreaterThan(0);
    await stop();
  });

  it('goes to no address that is not public unless it is listed', async () => {
    const { heartbeat, notices, stop } = world([]);
    await eventually('it failed', () => heartbeat.results.failed > 2);
    expect(receiver.received).toEqual([]);
    expect(notices[0]).toContain('127.0.0.1 is this machine');
    await stop();
  });
});

import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import { MigrationError } from '../../../src/store/migrate.js';
import { StoreLink, type StoreLinkOptions } from '../../../src/store/store-link.js';

function link(open: StoreLinkOptions['open']) {
  const notices: string[] = [];
  const subject = new StoreLink({
    open,
    clock: new ManualClock(5),
    onNotice: (level, message) => notices.push(`${level}: ${message}`),
  });
  const storing = subject.attach(() => {
    throw new Error('no reader in this test');
  });
  return { subject, storing, notices };
}

describe('StoreLink', () => {
  it('keeps trying while ClickHouse is away, says so, and stops at once when asked', async () => {
    let attempts = 0;
    let tried: () => void = () => {};
    const first = new Promise<void>((resolve) => {
      tried = resolve;
    });
    const { subject, storing, notices } = link(() => {
      attempts++;
      tried();
      return Promise.reject(new Error('connection refused'));
    });
    subject.start();
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    expect(storing.status()).toMatchObject({
      state: 'opening',
      since: 5,
      attempts: 1,
      lastError: 'connection refused',
    });
    expect(storing.stored()).toEqual({ log: 0, outbox: 0 });
    expect(await storing.drain({ log: 9, outbox: 9 }, 10)).toBe(false);
    await subject.stop();
    expect(attempts).toBe(1);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain('trying again');
  });

  it('leaves a schema alone that it must not touch, says so, and ends nothing else', async () => {
    const { subject, storing, notices } = link(() => Promise.reject(new MigrationError('newer than this program')));
    subject.start();
    await subject.stop();
    expect(notices).toEqual([
      'warn: ClickHouse cannot be used, observing goes on without storing: newer than this program',
    ]);
    expect(storing.status()).toMatchObject({ state: 'failed', lastError: 'newer than this program' });
  });

  it('stops within seconds while the database hangs', async () => {
    const { subject, storing } = link(() => new Promise(() => {}));
    subject.start();
    await subject.stop();
    expect(storing.status()).toMatchObject({ state: 'opening', attempts: 1 });
  });
});

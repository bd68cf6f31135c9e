import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/lib/clock.js';
import { EmbeddedEnvironment, type EmbeddedEnvironmentOptions } from '../../../src/log/embedded-environment.js';
import { EmbeddedLog } from '../../../src/log/embedded-log.js';
import { EmbeddedScoringStore } from '../../../src/log/embedded-scoring-store.js';
import { truncatablePosition } from '../../../src/log/retention.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** Where the system says which start of the machine this is. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const KIB = 1024;
const MIB = 1024 * KIB;

describe('the embedded environment', () => {
  let directory: { path: string; remove: () => void };
  let clock: ManualClock;
  const opened: EmbeddedEnvironment[] = [];

  function open(options: Partial<EmbeddedEnvironmentOptions> = {}): EmbeddedEnvironment {
    const environment = EmbeddedEnvironment.open({ directory: directory.path, clock, reserveBytes: 0, ...options });
    opened.push(environment);
    return environment;
  }

  beforeEach(() => {
    directory = temporaryDirectory();
    clock = new ManualClock(1_000_000);
  });
  afterEach(async () => {
    for (const environment of opened.splice(0)) await environment.close();
    directory.remove();
  });

  it('is opened once at a time, and again after it was closed', async () => {
    const first = open();
    expect(() => open()).toThrow(/held by this process/);
    await first.close();
    await first.close();
    expect(() => open()).not.toThrow();
  });

  describe('as a replica', () => {
    const record = { type: 'tick' as const, data: Buffer.from('x') };
    const mark = (): string => join(directory.path, 'unflushed');

    it('keeps what it has through an orderly end, and an end of the process', async () => {
      const first = open({ isReplica: true });
      await new EmbeddedLog(first).append([record]);
      expect([first.wasDiscarded, existsSync(mark())]).toEqual([false, true]);
      await first.close();
      expect(existsSync(mark())).toBe(false);
      const second = open({ isReplica: true });
      const left = readFileSync(mark());
      await second.close();
      // As a process leaves it that was killed since this start of the machine.
      writeFileSync(mark(), left);
      const third = open({ isReplica: true });
      expect([third.wasDiscarded, new EmbeddedLog(third).head]).toEqual([
        !existsSync(BOOT_ID),
        existsSync(BOOT_ID) ? 1 : 0,
      ]);
    });

    it('begins empty after the machine went down while it was open', async () => {
      const first = open({ isReplica: true });
      await new EmbeddedLog(first).append([record]);
      await first.close();
      writeFileSync(mark(), 'an earlier start');
      const second = open({ isReplica: true });
      expect([second.wasDiscarded, new EmbeddedLog(second).head]).toEqual([true, 0]);
    });
  });

  it.each([
    [{ maxBytes: 100, reserveBytes: 100 }, /must be greater than reserveBytes/],
    [{ maxBytes: Number.NaN }, /whole numbers/],
    [{ reserveBytes: -1 }, /whole numbers/],
  ])('refuses limits that make no sense: %j', (limits, message) => {
    expect(() => open(limits)).toThrow(message);
  });

  it('refuses what a newer version wrote', async () => {
    const first = open();
    await first.meta.put('format', 99);
    await first.close();
    expect(() => open()).toThrow(/has format 99 and this version reads up to \d+; start the version that wrote it/);
  });

  it('stops taking records before its room is used up, still takes state, and recovers after truncation', async () => {
    const environment = open({ maxBytes: 4 * MIB, reserveBytes: MIB });
    const log = new EmbeddedLog(environment);
    const store = new EmbeddedScoringStore(environment);
    const records = [{ type: 'payload' as const, data: Buffer.alloc(100 * KIB) }];
    /** Appends until refused. */
    const fill = async (): Promise<{ appended: number; refused: unknown }> => {
      for (let appended = 0; ; appended++) {
        clock.advance(1000);
        const refused = await log.append(records).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (refused !== undefined) return { appended, refused };
      }
    };
    const first = await fill();
    expect(first.refused).toMatchObject({ code: 'LOG_FULL', reason: 'size' });
    expect(first.appended).toBeGreaterThan(25);
    await store.commit({ nextPosition: 2, puts: [{ key: 'a', value: Buffer.alloc(KIB) }], deletes: [], effects: [] });
    await log.truncateBefore(log.head + 1);
    expect((await fill()).appended).toBeGreaterThan(25);
  });

  it('stops taking records before the volume is full', async () => {
    let freeBytes = 10 * MIB;
    const environment = open({ reserveBytes: 5 * MIB, freeBytes: () => freeBytes });
    const log = new EmbeddedLog(environment);
    const tick = [{ type: 'tick' as const, data: Buffer.from('{}') }];
    await log.append(tick);
    freeBytes = 4 * MIB;
    clock.advance(1000);
    await expect(log.append(tick)).rejects.toMatchObject({ code: 'LOG_FULL', reason: 'disk' });
    freeBytes = 10 * MIB;
    clock.advance(1000);
    await expect(log.append(tick)).resolves.toBe(2);
  });

  it('bounds what waits to be written', async () => {
    const log = new EmbeddedLog(open(), { pendingBytes: 1000 });
    const records = [{ type: 'tick' as const, data: Buffer.alloc(600) }];
    const results = await Promise.allSettled([log.append(records), log.append(records)]);
    expect(results[0]).toEqual({ status: 'fulfilled', value: 1 });
    expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'LOG_FULL', reason: 'queue' } });
    await expect(log.append(records)).resolves.toBe(2);
  });

  it('lets retention see the age and size of what it stores', async () => {
    const log = new EmbeddedLog(open());
    for (let n = 0; n < 5; n++) {
      await log.append([
        { type: 'tick', data: Buffer.alloc(50 * KIB) },
        { type: 'tick', data: Buffer.alloc(10) },
      ]);
      clock.advance(1000);
    }
    expect([...log.segments()].map(({ first, count, time }) => [first, count, time - 1_000_000])).toEqual([
      [1, 2, 0],
      [3, 2, 1000],
      [5, 2, 2000],
      [7, 2, 3000],
      [9, 2, 4000],
    ]);
    expect(log.storedBytes).toBeGreaterThan(250 * KIB);
    const position = truncatablePosition({
      segments: log.segments(),
      storedBytes: log.storedBytes,
      nextPositions: [log.head + 1],
      retention: { maxBytes: Infinity, maxAgeMs: 3500 },
      nowMs: clock.now(),
    });
    await log.truncateBefore(position);
    expect(log.tail).toBe(5);
    expect(log.storedBytes).toBeLessThan(200 * KIB);
  });

  it('is closed to other users, whatever the folder above it allows', () => {
    directory.remove();
    open();
    expect(statSync(directory.path).mode & 0o077).toBe(0);
  });

  it('commits the log and the scoring store side by side', async () => {
    const environment = open();
    const log = new EmbeddedLog(environment);
    const store = new EmbeddedScoringStore(environment);
    const tick = [{ type: 'tick' as const, data: Buffer.from('{}') }];
    const before = environment.transactions;
    await Promise.all([
      log.append(tick),
      store.commit({ nextPosition: 2, puts: [], deletes: [], effects: [] }),
      log.append(tick),
      store.setCursor('storing', 1),
    ]);
    expect(environment.transactions - before).toBe(1);
    expect([log.head, store.nextPosition, store.cursor('storing')]).toEqual([2, 2, 1]);
  });
});

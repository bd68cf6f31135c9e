import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import type { EmbeddedLogOptions } from '../../src/log/embedded-log.js';
import { MirroredLog, type LogGap } from '../../src/log/mirrored-log.js';
import type { LogEntry, RawRecord, RemoteLog } from '../../src/log/port.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { describeLogContract, readAll, record, type LogFixture } from './log-contract.js';

/** A shared log that brings every record back to its one consumer before it acknowledges it. */
class EchoingRemote implements RemoteLog {
  readonly records: RawRecord[] = [];
  consumer: MirroredLog | undefined;
  #last: Promise<unknown> = Promise.resolve();

  append(records: readonly RawRecord[]): Promise<number> {
    const first = this.records.push(...records) - records.length + 1;
    const entries = records.map((each, index) => ({ ...each, position: first + index }));
    const back = this.#last.then(() => turn()).then(() => this.consumer?.accept(entries));
    this.#last = back;
    return back.then(() => first);
  }
}

async function create(limits: EmbeddedLogOptions): Promise<LogFixture> {
  const directory = temporaryDirectory();
  const remote = new EchoingRemote();
  let environment: EmbeddedEnvironment;
  const open = async (): Promise<MirroredLog> => {
    environment = EmbeddedEnvironment.open({
      directory: directory.path,
      clock: systemClock,
      maxBytes: 2 ** 30,
      reserveBytes: 0,
      isReplica: true,
    });
    // Readers need what is next, and nothing else.
    const known = remote.consumer?.head ?? 0;
    remote.consumer = await MirroredLog.open({ environment, remote, begin: known + 1, gap: () => {}, limits });
    return remote.consumer;
  };
  let log = await open();
  const close = async (): Promise<void> => {
    await log.close();
    await environment.close();
  };
  return {
    log,
    reopen: async () => {
      await close();
      log = await open();
      return log;
    },
    dispose: async () => {
      await close();
      directory.remove();
    },
  };
}

describeLogContract('mirrored', () => create({}));
describeLogContract('mirrored, tiny segments and next to no memory', () =>
  create({ segmentBytes: 2048, cacheBytes: 1, readBytes: 4096 }),
);

describe('the mirror of a shared log', () => {
  let directory: { path: string; remove: () => void };
  let environment: EmbeddedEnvironment;
  let log: MirroredLog;
  let gaps: LogGap[];

  async function open(begin: number, needed?: number): Promise<void> {
    environment = EmbeddedEnvironment.open({
      directory: directory.path,
      clock: systemClock,
      reserveBytes: 0,
      isReplica: true,
    });
    const remote = { append: () => Promise.reject(new Error('nothing is appended here')) };
    const parts = { environment, remote, begin, gap: (gap: LogGap) => gaps.push(gap) };
    log = await MirroredLog.open(needed === undefined ? parts : { ...parts, needed });
  }
  async function reopen(begin: number, needed?: number): Promise<void> {
    await log.close();
    await environment.close();
    await open(begin, needed);
  }
  function entries(from: number, to: number): LogEntry[] {
    return Array.from({ length: to - from + 1 }, (_, index) => ({
      ...record(`r${from + index}`),
      position: from + index,
    }));
  }
  function positions(from?: number): number[] {
    return readAll2(from).map(({ position }) => position);
  }
  function readAll2(from = log.tail): LogEntry[] {
    const all: LogEntry[] = [];
    for (let next = from; next <= log.head; next = (all.at(-1)?.position ?? next) + 1) {
      const slice = log.read(next, 3);
      if (slice.length === 0) throw new Error(`nothing at ${next}, head ${log.head}`);
      all.push(...slice);
    }
    return all;
  }

  beforeEach(async () => {
    directory = temporaryDirectory();
    gaps = [];
    await open(101);
  });
  afterEach(async () => {
    await log.close();
    await environment.close();
    directory.remove();
  });

  it('begins where its readers begin, and leaves out what it has already', async () => {
    expect([log.tail, log.head]).toEqual([101, 100]);
    await Promise.all([log.accept(entries(101, 110)), log.accept(entries(105, 112)), log.accept(entries(99, 103))]);
    expect(positions()).toEqual([101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112]);
    expect(() => log.read(100, 1)).toThrow(/no longer in the log/);
    await reopen(105);
    expect(readAll(log).map(({ data }) => Buffer.from(data).toString())).toEqual(
      entries(101, 112).map(({ data }) => Buffer.from(data).toString()),
    );
    expect(gaps).toEqual([]);
  });

  it.each([
    ['does not reach', 114],
    ['no longer holds', 90],
  ])('begins anew where a reader needs what it %s', async (_, begin) => {
    await log.accept(entries(101, 112));
    await reopen(begin);
    expect([log.tail, log.head]).toEqual([begin, begin - 1]);
    await log.accept(entries(begin, begin + 1));
    await reopen(begin);
    expect(positions()).toEqual([begin, begin + 1]);
  });

  it('is kept as long as it has what is needed, though a new one would begin earlier', async () => {
    await log.accept(entries(101, 112));
    await reopen(50, 105);
    expect([log.tail, log.head]).toEqual([101, 112]);
    await reopen(50, 114);
    expect([log.tail, log.head]).toEqual([50, 49]);
    await reopen(70, 60);
    expect([log.tail, log.head]).toEqual([60, 59]);
  });

  it('goes on behind a gap, says so, and gives every record its own position', async () => {
    await log.accept([...entries(101, 103), ...entries(1_000, 1_001)]);
    await log.accept(entries(5_000_000_000, 5_000_000_001));
    const check = (): void => {
      expect([log.tail, log.head]).toEqual([101, 5_000_000_001]);
      expect(positions()).toEqual([101, 102, 103, 1_000, 1_001, 5_000_000_000, 5_000_000_001]);
      expect(log.read(104, 1).map(({ position }) => position)).toEqual([1_000]);
      expect(log.read(999, 10).map(({ position }) => position)).toEqual([1_000, 1_001, 5_000_000_000, 5_000_000_001]);
    };
    check();
    expect(gaps).toEqual([
      { from: 104, to: 1_000 },
      { from: 1_002, to: 5_000_000_000 },
    ]);
    await reopen(104);
    check();
    await log.truncateBefore(500);
    expect(positions(500)).toEqual([1_000, 1_001, 5_000_000_000, 5_000_000_001]);
    await log.truncateBefore(5_000_000_002);
    expect([log.tail, log.head]).toEqual([5_000_000_002, 5_000_000_001]);
    expect(gaps).toHaveLength(2);
  });

  it('has a gap from its beginning where the shared log begins later', async () => {
    const woken = log.waitBeyond(100, new AbortController().signal);
    await log.accept(entries(200, 201));
    await woken;
    expect(log.read(101, 10).map(({ position }) => position)).toEqual([200, 201]);
    expect(gaps).toEqual([{ from: 101, to: 200 }]);
  });

  it('makes no gap of a call that failed: what follows it fails as well, and can come again', async () => {
    const huge = { type: 'payload' as const, data: Buffer.alloc(17 * 2 ** 20), position: 104 };
    const results = await Promise.allSettled([
      log.accept(entries(101, 103)),
      log.accept([huge]),
      log.accept(entries(105, 106)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(log.head).toBe(103);
    await log.accept(entries(104, 106));
    expect(positions()).toEqual([101, 102, 103, 104, 105, 106]);
    expect(gaps).toEqual([]);
  });
});

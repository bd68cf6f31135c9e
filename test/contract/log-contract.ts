import {
  array,
  assert,
  asyncProperty,
  constant,
  double,
  integer,
  nat,
  oneof,
  record as object,
  string,
} from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log, LogEntry, RawRecord } from '../../src/log/port.js';
import type { LogRecordType } from '../../src/model/log-record.js';

/** A log under test, that can be closed and opened again on the same data. */
export interface LogFixture {
  log: Log;
  /** Closes the log properly and opens it again. */
  reopen(): Promise<Log>;
  dispose(): Promise<void>;
}

/** A short record that says which it is. */
export function record(text: string, type: LogRecordType = 'tick'): RawRecord {
  return { type, data: Buffer.from(text) };
}

/** Everything the log holds, read in slices. */
export function readAll(log: Log, from = log.tail, slice = 1000): LogEntry[] {
  const all: LogEntry[] = [];
  for (let next = from; next <= log.head; next = from + all.length) {
    const entries = log.read(next, slice);
    if (entries.length === 0) throw new Error(`nothing at ${next}, head ${log.head}`);
    all.push(...entries);
  }
  return all;
}

function texts(entries: readonly LogEntry[]): string[] {
  return entries.map(({ data }) => Buffer.from(data).toString());
}

function numbers(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

/** What every {@link Log} must keep, whatever it is built on. */
export function describeLogContract(name: string, create: () => Promise<LogFixture>): void {
  describe(`the log contract: ${name}`, () => {
    let fixture: LogFixture;
    let log: Log;

    beforeEach(async () => {
      fixture = await create();
      log = fixture.log;
    });
    afterEach(() => fixture.dispose());

    it('is empty at first', () => {
      expect(log.head).toBe(0);
      expect(log.tail).toBe(1);
      expect(log.read(1, 10)).toEqual([]);
    });

    it('gives back what was appended, in order, with type and bytes', async () => {
      expect(await log.append([record('a', 'observation'), record('', 'payload')])).toBe(1);
      expect(await log.append([record('ü€😀', 'dead-letter')])).toBe(3);
      const entries = log.read(1, 10);
      expect(entries.map(({ position, type }) => [position, type])).toEqual([
        [1, 'observation'],
        [2, 'payload'],
        [3, 'dead-letter'],
      ]);
      expect(texts(entries)).toEqual(['a', '', 'ü€😀']);
      expect(log.head).toBe(3);
    });

    it('reads from the middle, at most as many as asked, and nothing beyond the head', async () => {
      await log.append(numbers(1, 10).map((n) => record(`r${n}`)));
      await log.append(numbers(11, 10).map((n) => record(`r${n}`)));
      expect(texts(log.read(9, 4))).toEqual(['r9', 'r10', 'r11', 'r12']);
      expect(texts(log.read(20, 4))).toEqual(['r20']);
      expect(log.read(21, 4)).toEqual([]);
      expect(log.read(500, 4)).toEqual([]);
    });

    it('keeps each of many concurrent appends together and in the order of the calls', async () => {
      const firsts = await Promise.all(
        numbers(0, 200).map((call) => log.append(numbers(0, (call % 7) + 1).map((n) => record(`${call}.${n}`)))),
      );
      const stored = texts(readAll(log, 1, 13));
      expect(firsts.map((first, call) => stored[first - 1] === `${call}.0`).every(Boolean)).toBe(true);
      expect(stored).toEqual(numbers(0, 200).flatMap((call) => numbers(0, (call % 7) + 1).map((n) => `${call}.${n}`)));
      expect(readAll(log).map(({ position }) => position)).toEqual(numbers(1, stored.length));
    });

    it('appends all records of a call or none', async () => {
      await log.append([record('before')]);
      // A type from outside the type system: what a newer version, or a bug, would hand in.
      const unknown = { type: 'nonsense', data: Buffer.from('x') } as unknown as RawRecord;
      await expect(log.append([record('good'), unknown, record('good')])).rejects.toThrow(/nonsense/);
      await expect(log.append([])).rejects.toThrow(/at least one/);
      expect(await log.append([record('after')])).toBe(2);
      expect(texts(readAll(log))).toEqual(['before', 'after']);
    });

    it('is visible no earlier than it is acknowledged', async () => {
      const append = log.append([record('a')]);
      expect(log.head).toBe(0);
      expect(log.read(1, 1)).toEqual([]);
      await append;
      expect(log.head).toBe(1);
    });

    it('takes records of a megabyte beside small ones', async () => {
      const big = Buffer.alloc(1_000_000, 'abcdefghij');
      await log.append([
        record('small'),
        { type: 'payload', data: big },
        { type: 'payload', data: big },
        record('end'),
      ]);
      const check = (open: Log): void => {
        const entries = readAll(open);
        expect(entries.map(({ data }) => data.byteLength)).toEqual([5, 1_000_000, 1_000_000, 3]);
        expect(entries.slice(1, 3).every(({ data }) => big.equals(data))).toBe(true);
      };
      check(log);
      check(await fixture.reopen());
    });

    it('wakes a reader that waits beyond the head', async () => {
      const signal = new AbortController().signal;
      const order: string[] = [];
      const waiting = log.waitBeyond(1, signal).then(() => order.push(`woken at ${log.head}`));
      await log.append([record('a')]);
      order.push('first');
      await log.append([record('b')]);
      await waiting;
      expect(order).toEqual(['first', 'woken at 2']);
      await expect(log.waitBeyond(1, signal)).resolves.toBeUndefined();
    });

    it('lets a waiting reader go when its signal aborts, and refuses it when the log closes', async () => {
      const controller = new AbortController();
      const aborted = log.waitBeyond(0, controller.signal);
      controller.abort();
      await expect(aborted).resolves.toBeUndefined();
      await expect(log.waitBeyond(0, controller.signal)).resolves.toBeUndefined();
      const left = log.waitBeyond(0, new AbortController().signal).catch((error: unknown) => String(error));
      await log.close();
      expect(await left).toMatch(/closed/);
      await expect(log.append([record('late')])).rejects.toThrow(/closed/);
    });

    it('goes on where it stopped after being closed and opened again', async () => {
      await log.append(numbers(1, 50).map((n) => record(`r${n}`)));
      log = await fixture.reopen();
      expect([log.tail, log.head]).toEqual([1, 50]);
      expect(await log.append([record('r51')])).toBe(51);
      expect(texts(readAll(log))).toEqual(numbers(1, 51).map((n) => `r${n}`));
    });

    it('drops what was passed, keeps the rest, and says so to a reader that comes too late', async () => {
      for (let n = 1; n <= 30; n += 3) await log.append(numbers(n, 3).map((each) => record(`r${each}`)));
      await log.truncateBefore(17);
      expect(log.tail).toBeGreaterThan(1);
      expect(log.tail).toBeLessThanOrEqual(17);
      expect(texts(readAll(log, 17))).toEqual(numbers(17, 14).map((n) => `r${n}`));
      expect(() => log.read(1, 1)).toThrow(/no longer in the log/);
      const { tail } = log;
      log = await fixture.reopen();
      expect([log.tail, log.head]).toEqual([tail, 30]);
    });

    it('numbers on after everything was dropped, and refuses to drop what does not exist', async () => {
      await log.append([record('a'), record('b')]);
      await expect(log.truncateBefore(4)).rejects.toThrow(RangeError);
      await log.truncateBefore(3);
      expect([log.tail, log.head]).toEqual([3, 2]);
      log = await fixture.reopen();
      expect([log.tail, log.head]).toEqual([3, 2]);
      expect(await log.append([record('c')])).toBe(3);
      log = await fixture.reopen();
      expect(texts(readAll(log))).toEqual(['c']);
    });

    it('behaves like an array', async () => {
      const property = asyncProperty(array(anyStep(), { maxLength: 25 }), async (steps) => {
        const own = await create();
        try {
          return await agreesWithArray(own, steps);
        } finally {
          await own.dispose();
        }
      });
      await expect(assert(property, { numRuns: 40 })).resolves.toBeUndefined();
    });
  });
}

type Step =
  | { do: 'append'; calls: string[][] }
  | { do: 'read'; from: number; max: number }
  | { do: 'truncate'; at: number }
  | { do: 'reopen' };

function anyStep(): Arbitrary<Step> {
  const text = oneof(
    string({ maxLength: 20 }),
    nat({ max: 4000 }).map((length) => 'x'.repeat(length)),
  );
  const calls = array(array(text, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 });
  // Places are shares of the log's range, because its size is not known yet.
  const share = double({ min: 0, max: 1, noNaN: true });
  return oneof(
    { weight: 4, arbitrary: object({ do: constant('append' as const), calls }) },
    {
      weight: 3,
      arbitrary: object({ do: constant('read' as const), from: share, max: integer({ min: 1, max: 40 }) }),
    },
    { weight: 1, arbitrary: object({ do: constant('truncate' as const), at: share }) },
    { weight: 1, arbitrary: object({ do: constant('reopen' as const) }) },
  );
}

/** Runs the steps against the log and against an array; false at the first difference. */
async function agreesWithArray(fixture: LogFixture, steps: readonly Step[]): Promise<boolean> {
  let { log } = fixture;
  /** Every record ever appended; position = index + 1. */
  const model: string[] = [];
  for (const step of steps) {
    const before = log.tail;
    let agrees = true;
    switch (step.do) {
      case 'append': {
        const firsts = await Promise.all(step.calls.map((call) => log.append(call.map((text) => record(text)))));
        for (const [index, call] of step.calls.entries()) {
          agrees &&= firsts[index] === model.length + 1;
          model.push(...call);
        }
        break;
      }
      case 'read': {
        const from = log.tail + Math.floor(step.from * (log.head + 1 - log.tail));
        const read = texts(log.read(from, step.max));
        const expected = model.slice(from - 1, from - 1 + step.max);
        // Fewer than asked for is allowed, nothing at all is not.
        agrees = same(read, expected.slice(0, read.length)) && (read.length > 0 || expected.length === 0);
        break;
      }
      case 'truncate': {
        const at = Math.min(log.tail + Math.floor(step.at * (log.head + 2 - log.tail)), log.head + 1);
        await log.truncateBefore(at);
        agrees = log.tail >= before && log.tail <= at;
        break;
      }
      case 'reopen': {
        log = await fixture.reopen();
        agrees = log.tail === before;
        break;
      }
    }
    if (!agrees || log.head !== model.length || !same(texts(readAll(log)), model.slice(log.tail - 1))) return false;
  }
  return true;
}

function same(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}

import { describe, expect, it } from 'vitest';
import { atOnce, inTurns, type Steps } from '../../../src/lib/steps.js';
import { unlessAborted } from '../../../src/lib/unless-aborted.js';

function* counting(to: number, seen: number[]): Steps<number> {
  for (let n = 0; n < to; n++) {
    seen.push(n);
    yield;
  }
  return seen.length;
}

describe('work in steps', () => {
  it('comes to the same at once and in turns', async () => {
    expect(atOnce(counting(3, []))).toBe(3);
    expect(await inTurns(counting(3, []))).toBe(3);
    expect(await inTurns(counting(0, []))).toBe(0);
  });

  it('lets others run between its steps', async () => {
    const seen: number[] = [];
    const working = inTurns(counting(3, seen));
    expect(seen).toEqual([]);
    const between = await new Promise<number>((resolve) => setImmediate(() => resolve(seen.length)));
    expect(between).toBeLessThan(3);
    expect(await working).toBe(3);
  });

  it('fails as its step does', async () => {
    function* failing(): Steps<number> {
      yield;
      throw new RangeError('damaged');
    }
    expect(() => atOnce(failing())).toThrow(RangeError);
    await expect(inTurns(failing())).rejects.toThrow(RangeError);
  });
});

describe('waiting unless aborted', () => {
  it('gives what the promise gives, and its error', async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve(7), signal)).toBe(7);
    await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  });

  it('waits no longer once it is aborted, whatever becomes of the promise', async () => {
    const ending = new AbortController();
    let fail: (error: Error) => void = () => {};
    const waiting = unlessAborted(
      new Promise<number>((_, reject) => {
        fail = reject;
      }),
      ending.signal,
    );
    ending.abort();
    expect(await waiting).toBeUndefined();
    fail(new Error('too late'));
    expect(await unlessAborted(new Promise<number>(() => {}), ending.signal)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { EnvironmentFailedError, LogFullError } from '../../../src/log/log-errors.js';
import { WriteQueue, type Operation } from '../../../src/log/write-queue.js';

/** A commit that the test ends by hand. */
class HandCommit {
  readonly applied: number[] = [];
  #end: ((error?: Error) => void) | undefined;

  readonly queue = new WriteQueue(
    (operations) =>
      new Promise((resolve, reject) => {
        this.applied.push(operations.length);
        for (const operation of operations) operation();
        this.#end = (error) => (error === undefined ? resolve() : reject(error));
      }),
    (cause) => new EnvironmentFailedError('/data', cause),
  );

  /** Ends the commit that is under way. */
  async end(error?: Error): Promise<void> {
    await settle();
    this.#end?.(error);
    await settle();
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

function write(queue: WriteQueue, own: Operation[] | Error = [() => {}]): Promise<void> {
  return new Promise((resolve, reject) => {
    queue.submit({
      fill: (operations) => {
        if (own instanceof Error) throw own;
        operations.push(...own);
      },
      committed: resolve,
      failed: reject,
    });
  });
}

describe('the write queue', () => {
  it('shares one commit among all that come in one turn, and the next among all that come meanwhile', async () => {
    const { queue, applied, ...hand } = share();
    const first = Promise.all([write(queue), write(queue), write(queue)]);
    await settle();
    const second = Promise.all([write(queue), write(queue)]);
    await hand.end();
    await first;
    await hand.end();
    await second;
    expect(applied).toEqual([3, 2]);
  });

  it('fails only the job that cannot be filled, without any of its operations', async () => {
    const { queue, applied, ...hand } = share();
    const good = write(queue);
    const bad = write(queue, new Error('no such key')).catch(String);
    await hand.end();
    await good;
    expect(await bad).toBe('Error: no such key');
    expect(applied).toEqual([1]);
  });

  it('goes on after a commit for which there was no space', async () => {
    const { queue, ...hand } = share();
    const refused = write(queue).catch((error: unknown) => error);
    await hand.end(new LogFullError('disk', 'No space left on device'));
    expect(await refused).toMatchObject({ code: 'LOG_FULL', reason: 'disk' });
    const later = write(queue);
    await hand.end();
    await expect(later).resolves.toBeUndefined();
  });

  it('writes nothing more after any other failure', async () => {
    const { queue, applied, ...hand } = share();
    const failed = write(queue).catch((error: unknown) => error);
    await settle();
    const waiting = write(queue).catch((error: unknown) => error);
    await hand.end(new Error('Input/output error'));
    expect(await failed).toMatchObject({ code: 'ENVIRONMENT_FAILED', cause: { message: 'Input/output error' } });
    expect(await waiting).toMatchObject({ code: 'ENVIRONMENT_FAILED' });
    await expect(write(queue)).rejects.toThrow(/nothing more is written/);
    expect(applied).toEqual([1]);
  });

  it('ends what it accepted before it closes, and refuses the rest', async () => {
    const { queue, ...hand } = share();
    const accepted = write(queue);
    const closed = queue.close();
    await expect(write(queue)).rejects.toThrow(/closed/);
    await hand.end();
    await expect(accepted).resolves.toBeUndefined();
    await expect(closed).resolves.toBeUndefined();
  });
});

function share(): { queue: WriteQueue; applied: number[]; end: (error?: Error) => Promise<void> } {
  const hand = new HandCommit();
  return { queue: hand.queue, applied: hand.applied, end: (error) => hand.end(error) };
}

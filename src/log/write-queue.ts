import { LogClosedError, LogFullError } from './log-errors.js';

/** One change of one database; built by a job, applied with the others of its transaction. */
export type Operation = () => void;

/** A change that wants to be part of the next transaction. */
export interface WriteJob<Item = Operation> {
  /**
   * Adds what the job wants to be written; called when its transaction is put together, after every earlier one has ended. May
   * throw: then this job fails and its neighbours go on.
   */
  fill(items: Item[]): void;
  /** The transaction is durable. Called in the order of the jobs. */
  committed(): void;
  /** Nothing of the transaction was written. */
  failed(error: Error): void;
}

/**
 * Group commit: one transaction at a time, and all that arrive while it is written share the next one.
 *
 * A transaction that fails for want of space leaves the file as it was, so later ones may try again. After any other
 * failure nothing more is written, because a failed flush says nothing about what is on the disk.
 */
export class WriteQueue<Item = Operation> {
  readonly #commit: (items: readonly Item[]) => Promise<void>;
  readonly #stopError: (cause: unknown) => Error;
  #waiting: WriteJob<Item>[] = [];
  #running: Promise<void> | undefined;
  #stopped: Error | undefined;

  /**
   * @param commit writes all items in one durable transaction, or none; rejects with LogFullError when there was no
   *   space and later transactions may try again
   * @param stopError the error given to everyone after any other failure of `commit`
   */
  constructor(commit: (items: readonly Item[]) => Promise<void>, stopError: (cause: unknown) => Error) {
    this.#commit = commit;
    this.#stopError = stopError;
  }

  submit(job: WriteJob<Item>): void {
    if (this.#stopped !== undefined) {
      job.failed(this.#stopped);
      return;
    }
    this.#waiting.push(job);
    this.#running ??= this.#run();
  }

  /** Refuses new jobs; resolves when those accepted have ended. */
  async close(): Promise<void> {
    this.#stopped ??= new LogClosedError();
    await this.#running;
  }

  async #run(): Promise<void> {
    // Everything that the current turn of the event loop submits shares the first commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const items: Item[] = [];
      const jobs = this.#take(items);
      if (items.length === 0) {
        for (const job of jobs) job.committed();
        continue;
      }
      try {
        await this.#commit(items);
      } catch (error) {
        this.#fail(jobs, error);
        continue;
      }
      for (const job of jobs) job.committed();
    }
    this.#running = undefined;
  }

  #take(items: Item[]): WriteJob<Item>[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    const jobs: WriteJob<Item>[] = [];
    for (const job of waiting) {
      const mark = items.length;
      try {
        job.fill(items);
        jobs.push(job);
      } catch (error) {
        items.length = mark;
        job.failed(error instanceof Error ? error : new Error(String(error)));
      }
    }
    return jobs;
  }

  #fail(jobs: readonly WriteJob<Item>[], cause: unknown): void {
    if (cause instanceof LogFullError) {
      for (const job of jobs) job.failed(cause);
      return;
    }
    this.#stopped = this.#stopError(cause);
    const refused = [...jobs, ...this.#waiting];
    this.#waiting = [];
    for (const job of refused) job.failed(this.#stopped);
  }
}

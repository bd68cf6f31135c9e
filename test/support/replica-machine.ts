import type { Clock } from '../../src/lib/clock.js';
import { ChangelogRewindError } from '../../src/log/changelog-errors.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import type { Changelog } from '../../src/log/port.js';
import type { ReplicatedScoringStore, ReplicationLimits } from '../../src/log/replicated-scoring-store.js';
import { StateReplica } from '../../src/log/state-replica.js';
import type { CompactedTopic } from './compacted-topic.js';
import { temporaryDirectory } from './temporary-directory.js';

const READ_ENTRIES = 7;

/** A machine with the replica of one partition, and the consumer that feeds it. */
export class ReplicaMachine {
  readonly topic: CompactedTopic;
  readonly #clock: Clock;
  readonly #directory = temporaryDirectory();
  readonly #limits: Partial<ReplicationLimits>;
  readonly #maxWarmAgeMs: number;
  #environment: EmbeddedEnvironment | undefined;
  #replica: StateReplica | undefined;
  /** Times that reading had to go back. */
  rewinds = 0;

  private constructor(topic: CompactedTopic, options: MachineOptions) {
    this.topic = topic;
    this.#clock = options.clock;
    this.#limits = options.limits ?? {};
    this.#maxWarmAgeMs = options.maxWarmAgeMs;
  }

  static async start(topic: CompactedTopic, options: MachineOptions): Promise<ReplicaMachine> {
    const machine = new ReplicaMachine(topic, options);
    await machine.#open();
    return machine;
  }

  get replica(): StateReplica {
    if (this.#replica === undefined) throw new Error('the machine is down');
    return this.#replica;
  }

  get environment(): EmbeddedEnvironment {
    if (this.#environment === undefined) throw new Error('the machine is down');
    return this.#environment;
  }

  /** Consumes up to the end of the topic. */
  async follow(): Promise<void> {
    for (;;) {
      const { replica } = this;
      const records = this.topic.read(replica.nextOffset, READ_ENTRIES);
      try {
        await replica.apply(records, records.length < READ_ENTRIES);
      } catch (error) {
        if (!(error instanceof ChangelogRewindError)) throw error;
        this.rewinds++;
        continue;
      }
      if (this.topic.read(replica.nextOffset, 1).length === 0) return;
    }
  }

  /** Takes the partition over, and consumes meanwhile. */
  async takeOver(changelog: Changelog): Promise<ReplicatedScoringStore> {
    for (;;) {
      await this.follow();
      const taking = this.replica.takeOver(changelog);
      const ended = new AbortController();
      const end = (): void => ended.abort();
      taking.then(end, end);
      while (!ended.signal.aborted) {
        await new Promise((resolve) => setImmediate(resolve));
        await this.follow();
      }
      try {
        return await taking;
      } catch (error) {
        if (!(error instanceof ChangelogRewindError)) throw error;
        this.rewinds++;
      }
    }
  }

  /** The process is gone, whatever it was doing, and comes back on the same disk. */
  async crash(): Promise<void> {
    await this.#environment?.close();
    await this.#open();
  }

  async dispose(): Promise<void> {
    await this.#environment?.close();
    this.#directory.remove();
  }

  async #open(): Promise<void> {
    this.#environment = EmbeddedEnvironment.open({
      directory: this.#directory.path,
      clock: this.#clock,
      reserveBytes: 0,
      // What a replica leaves to the system this leaves as well, and opens faster.
      isTemporary: true,
    });
    this.#replica = await StateReplica.open({
      environment: this.#environment,
      clock: this.#clock,
      maxWarmAgeMs: this.#maxWarmAgeMs,
      limits: this.#limits,
    });
  }
}

export interface MachineOptions {
  clock: Clock;
  maxWarmAgeMs: number;
  limits?: Partial<ReplicationLimits>;
}

import { join } from 'node:path';
import type { Config } from '../config.js';
import type { ReceivedRecord } from '../kafka/port.js';
import type { Clock } from '../lib/clock.js';
import { ChangelogRewindError } from '../log/changelog-errors.js';
import { EmbeddedEnvironment } from '../log/embedded-environment.js';
import { StateReplica } from '../log/state-replica.js';
import { changelogRecord } from './kafka-changelog.js';

/** Least size of a partition's environment, which is address space and not memory. */
const MIN_MAP_BYTES = 2 * 1024 ** 3;

export interface PartitionStateParts {
  partition: number;
  config: Config;
  /** Of how many. */
  partitions: number;
  clock: Clock;
  /** The changelog of the partition is to be read again from another offset. */
  readAgain: (partition: number, offset: number, reason: string) => void;
}

/**
 * What this machine has of one partition, whether it owns it or not: its environment, and in it a replica of the scoring
 * state that is fed with the changelog.
 */
export class PartitionState {
  readonly partition: number;
  readonly environment: EmbeddedEnvironment;
  readonly replica: StateReplica;
  readonly #parts: PartitionStateParts;

  /** Opens what an earlier run has left on this machine. @throws DirectoryHeldError when another process has it open */
  static async open(parts: PartitionStateParts): Promise<PartitionState> {
    const { partition, partitions, config, clock } = parts;
    const environment = EmbeddedEnvironment.open({
      directory: join(config.dataDir, 'partitions', String(partition)),
      clock,
      maxBytes: Math.max(MIN_MAP_BYTES, Math.ceil(config.log.mapBytes / partitions)),
      reserveBytes: config.log.reserveBytes,
    });
    try {
      return new PartitionState(parts, environment, await StateReplica.open({ environment, clock }));
    } catch (error) {
      await environment.close();
      throw error;
    }
  }

  private constructor(parts: PartitionStateParts, environment: EmbeddedEnvironment, replica: StateReplica) {
    this.#parts = parts;
    this.partition = parts.partition;
    this.environment = environment;
    this.replica = replica;
  }

  /** Takes what came of the changelog, in order. @param highWatermark offset of the next entry that will come */
  async take(records: readonly ReceivedRecord[], highWatermark: number): Promise<void> {
    const last = records.at(-1);
    if (last === undefined) return;
    const entries = records.map(changelogRecord).filter((entry) => entry !== undefined);
    try {
      await this.replica.apply(entries, last.offset + 1 >= highWatermark);
    } catch (error) {
      if (!(error instanceof ChangelogRewindError)) throw error;
      this.#parts.readAgain(this.partition, error.from, error.message);
    }
  }

  /** The partition is somebody else's: what is here follows as a standby. */
  async release(): Promise<void> {
    await this.replica.release();
    this.#parts.readAgain(this.partition, this.replica.nextOffset, 'it follows another owner');
  }

  async close(): Promise<void> {
    await this.replica.close();
    await this.environment.close();
  }
}

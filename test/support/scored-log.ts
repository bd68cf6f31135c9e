import { join } from 'node:path';
import { loadConfig, type Config } from '../../src/config.js';
import { openCore, type Core } from '../../src/core.js';
import { ManualClock, systemClock, type Clock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedLog } from '../../src/log/embedded-log.js';
import { EmbeddedScoringStore } from '../../src/log/embedded-scoring-store.js';
import type { RawRecord } from '../../src/log/port.js';
import type { PartitionPlace } from '../../src/model/allowance.js';
import type { OutboxEntry } from '../../src/model/effect.js';
import { fixInstallSeed } from './service-process.js';
import { temporaryDirectory } from './temporary-directory.js';

export interface ScoreOptions {
  /** Install secret of the run whose log it is: ids and hashes depend on it. */
  seed: number;
  /** Settings of that run; the data directory is replaced. */
  config?: Partial<Config>;
  sliceRecords?: number;
  /** Takes checkpoints one after the other, and moves effects after every slice, instead of as rarely as may be. */
  eagerCheckpoints?: boolean;
  /** Most records between two checkpoints. */
  checkpointRecords?: number;
  /** Which partition of how many it is the log of. */
  place?: PartitionPlace;
  /** Closes and opens everything again after so many records. */
  restartsAt?: readonly number[];
  /** Checkpoints that never become durable, counted from 1: the process ends between scoring and committing. */
  lostCheckpoints?: readonly number[];
  /** Moves of effects that never become durable, counted from 1. */
  lostEffects?: readonly number[];
}

export interface ScoredLog {
  outbox: OutboxEntry[];
  /** Checkpoints and moves of effects that were lost as asked. */
  lost: number;
  restarts: number;
}

/** Scores a log from its beginning in a core of its own, with the interruptions asked for. */
export async function scoreRecords(records: readonly RawRecord[], options: ScoreOptions): Promise<ScoredLog> {
  const directory = temporaryDirectory();
  const dataDir = join(directory.path, 'data');
  fixInstallSeed(dataDir, options.seed);
  const lostCheckpoints = new Set(options.lostCheckpoints);
  const lostEffects = new Set(options.lostEffects);
  let checkpoints = 0;
  let moves = 0;
  let lost = 0;
  let restarts = -1;
  const open = (): { core: Core; hasFailed: () => boolean } => {
    restarts++;
    let failed = false;
    const core = openCore({
      config: { ...loadConfig(undefined, {}), ...options.config, dataDir },
      clock: options.eagerCheckpoints === true ? new HastyClock() : new ManualClock(systemClock.now()),
      notice: () => {},
      failed: () => {
        failed = true;
      },
      ...(options.sliceRecords === undefined ? {} : { sliceRecords: options.sliceRecords }),
      ...(options.place === undefined ? {} : { place: options.place }),
      ...(options.checkpointRecords === undefined ? {} : { checkpointRecords: options.checkpointRecords }),
    });
    const isLost = (losses: Set<number>, number: number) => {
      if (!losses.delete(number)) return false;
      lost++;
      return true;
    };
    const end = () => Promise.reject(new Error('the process ended before this was durable'));
    const commitEffects = core.store.commitEffects.bind(core.store);
    core.store.commitEffects = (position, effects) =>
      isLost(lostEffects, ++moves) ? end() : commitEffects(position, effects);
    const openCheckpoint = core.store.openCheckpoint.bind(core.store);
    core.store.openCheckpoint = (position) => {
      const checkpoint = openCheckpoint(position);
      return isLost(lostCheckpoints, ++checkpoints) ? { ...checkpoint, finish: end } : checkpoint;
    };
    return { core, hasFailed: () => failed };
  };
  let running = open();
  const settle = async () => {
    while (running.core.scoring.effectsPosition <= running.core.log.head) {
      if (running.hasFailed()) {
        await running.core.close();
        running = open();
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  try {
    let at = 0;
    for (const cut of [...(options.restartsAt ?? [])].sort((a, b) => a - b)) {
      if (cut <= at || cut >= records.length) continue;
      await running.core.log.append(records.slice(at, cut));
      await settle();
      await running.core.close();
      running = open();
      at = cut;
    }
    if (at < records.length) await running.core.log.append(records.slice(at));
    await settle();
    return { outbox: running.core.store.outbox(0, 1_000_000), lost, restarts };
  } finally {
    await running.core.close();
    directory.remove();
  }
}

/** Log and outbox of a data directory that no process uses. */
export async function readDataDirectory(dataDir: string): Promise<{ records: RawRecord[]; outbox: OutboxEntry[] }> {
  const environment = EmbeddedEnvironment.open({
    directory: join(dataDir, 'log'),
    clock: systemClock,
    reserveBytes: 0,
  });
  const log = new EmbeddedLog(environment);
  const store = new EmbeddedScoringStore(environment);
  try {
    const records: RawRecord[] = [];
    for (let position = log.tail; position <= log.head; position = log.tail + records.length) {
      // Copied: what is read lies in pages of the environment.
      for (const { type, data } of log.read(position, 1_000)) records.push({ type, data: Uint8Array.from(data) });
    }
    return { records, outbox: store.outbox(0, 1_000_000) };
  } finally {
    store.close();
    await log.close();
    await environment.close();
  }
}

/** Every look finds the next checkpoint due. */
class HastyClock implements Clock {
  #now = systemClock.now();

  now(): number {
    this.#now += 60_000;
    return this.#now;
  }
}

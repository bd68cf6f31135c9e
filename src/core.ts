import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openDoors, type Doors } from './core-doors.js';
import { openScoringCore, type ScoringCore, type ScoringCoreOptions } from './core-scoring.js';
import { loadShared } from './core-shared.js';
import { MAX_INCIDENTS, openViews, type Views } from './core-views.js';
import type { DetectorFile } from './detect/detector-file.js';
import type { DetectorSet } from './detect/loader.js';
import { discover } from './governance/discovery.js';
import type { DiscoveryQuery, DiscoveryReport } from './governance/port.js';
import type { ReferenceLibrary } from './governance/reference-library.js';
import { EmbeddedEnvironment } from './log/embedded-environment.js';
import { EmbeddedLog } from './log/embedded-log.js';
import { EmbeddedScoringStore } from './log/embedded-scoring-store.js';
import { installSeed } from './log/install-seed.js';
import { encodeRecord } from './log/record-codec.js';
import type { OutboxEntry } from './model/effect.js';
import type { LogRecord } from './model/log-record.js';

export interface CoreOptions extends Omit<
  ScoringCoreOptions,
  'log' | 'store' | 'seed' | 'shared' | 'answer' | 'committed' | 'seen'
> {
  /** Instead of the one in the baselines folder. */
  library?: ReferenceLibrary;
  /** The data directory is thrown away in the end: nothing waits for the disk. */
  isTemporary?: boolean;
  /** Committed effects, after the core's own views took them in. */
  committed?: (entries: OutboxEntry[]) => void;
}

/**
 * Intake, log and scoring put together on the embedded log. The service, the evaluation and the detectors' own cases
 * all run on this one, so that none of them sees a pipeline of its own.
 */
export interface Core extends Doors, Omit<Views, 'apply'>, Omit<ScoringCore, 'activeSet' | 'stored' | 'start'> {
  log: EmbeddedLog;
  store: EmbeddedScoringStore;
  /** Classes of agents, what is expected of them, and the tools inventory. */
  library: ReferenceLibrary;
  /** Declared against observed, as it is now. */
  discover: (query: DiscoveryQuery) => Promise<DiscoveryReport>;
  /** Absolute path of the folder with the detectors. */
  detectorsDir: string;
  /** Keeps the set's text and asks for it in the log: it is at work from that record on. */
  activateDetectors: (set: DetectorSet, files: readonly DetectorFile[]) => Promise<void>;
  /** Appends records that are not observations. */
  record: (...records: LogRecord[]) => Promise<number>;
  close: () => Promise<void>;
}

/**
 * Opens the data directory and starts scoring.
 *
 * @throws ConfigError, DetectorError, LibraryError, LearningError, DirectoryHeldError
 */
export function openCore(options: CoreOptions): Core {
  const { config, clock, notice } = options;
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const seed = installSeed(config.dataDir);
  const shared = loadShared(config, options.library);
  const environment = EmbeddedEnvironment.open({
    directory: join(config.dataDir, 'log'),
    clock,
    maxBytes: config.log.mapBytes,
    reserveBytes: config.log.reserveBytes,
    isTemporary: options.isTemporary ?? false,
  });
  const log = new EmbeddedLog(environment);
  const store = new EmbeddedScoringStore(environment);

  const { activeSet, stored, start, ...scoring } = openScoringCore({
    ...options,
    log,
    store,
    seed,
    shared,
    answer: (id, answer) => doors.checker.answer(id, answer),
    committed: (entries) => {
      views.apply(entries);
      options.committed?.(entries);
    },
    seen: (observation, riskNats) => views.agents.note(observation, riskNats),
  });
  const views = openViews({ store, maxAgents: config.detection.maxAgents, stored });
  const doors = openDoors({ config, clock, notice, log, seed });

  const { library, detectorsDir, archive, folder } = shared;
  const activateDetectors = async (set: DetectorSet, files: readonly DetectorFile[]): Promise<void> => {
    archive.keep(set, files);
    const activation = { time: clock.now(), tenant: '', what: 'detectors' as const, value: set.hash };
    await log.append([encodeRecord({ type: 'activation', value: activation })]);
  };
  // In the log before anything else: what is scored from here on is scored by this set, in a replay too.
  if (folder !== undefined && folder.set.hash !== activeSet) {
    activateDetectors(folder.set, folder.files).catch(options.failed);
  }
  start();

  return {
    log,
    store,
    ...doors,
    ...scoring,
    library,
    discover: (query) =>
      discover(
        {
          library,
          baselines: scoring.baselines,
          grants: scoring.entitlements,
          heard: views.agents,
          incidents: (tenant) => views.incidents.list({ tenant, limit: MAX_INCIDENTS }),
          clock,
        },
        query,
      ),
    detectorsDir,
    activateDetectors,
    ...views,
    record: (...records) => log.append(records.map(encodeRecord)),
    close: async () => {
      await scoring.scoring.stop();
      await log.close();
      store.close();
      await environment.close();
    },
  };
}

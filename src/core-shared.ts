import { join } from 'node:path';
import { MEASURES } from './baseline/measures.js';
import { loadLearning } from './baseline/learning.js';
import { loadPrior } from './baseline/prior.js';
import type { BaselineSetup, Budgets } from './baseline/port.js';
import type { Config } from './config.js';
import type { DetectorFile } from './detect/detector-file.js';
import { tryDetectors } from './detect/folder-set.js';
import { DetectorError, type DetectorSet } from './detect/loader.js';
import { DetectorArchive } from './detect/set-archive.js';
import { loadLibrary } from './governance/library-loader.js';
import type { ReferenceLibrary } from './governance/reference-library.js';
import { contentPath } from './lib/package-root.js';

/** What all partitions of a process are scored with: content that people edit, read once. */
export interface SharedParts extends Pick<BaselineSetup, 'prior' | 'budgets'> {
  learning: NonNullable<BaselineSetup['learning']>;
  /** Classes of agents, what is expected of them, and the tools inventory. */
  library: ReferenceLibrary;
  /** Absolute path of the folder with the detectors. */
  detectorsDir: string;
  archive: DetectorArchive;
  /** What the folder holds now; undefined where it was refused. */
  folder: { set: DetectorSet; files: readonly DetectorFile[] } | undefined;
  /**
   * The set to score with from a checkpoint on.
   *
   * @param activeHash of the set that the log activated last
   * @throws DetectorError where the folder was refused and that set is not kept here
   */
  setAtStart: (activeHash: string, notice: (message: string, facts: Record<string, unknown>) => void) => DetectorSet;
}

/** @throws LibraryError, LearningError naming file and path */
export function loadShared(config: Config, ownLibrary?: ReferenceLibrary): SharedParts {
  const baselinesDir = contentPath(config.detection.baselinesDir);
  const library = ownLibrary ?? loadLibrary(baselinesDir);
  const detectorsDir = contentPath(config.detection.detectorsDir);
  const archive = new DetectorArchive(join(config.dataDir, 'detector-sets'), MEASURES);
  const folder = tryDetectors(detectorsDir, MEASURES);
  return {
    library,
    prior: loadPrior(join(baselinesDir, 'prior.json')),
    learning: loadLearning(join(baselinesDir, 'learning.yaml')),
    budgets: budgetsOf(library, config.detection.falseAlarmBudget),
    detectorsDir,
    archive,
    folder: folder instanceof DetectorError ? undefined : folder,
    setAtStart: (activeHash, notice) => {
      const named = archive.find(activeHash);
      if (!(folder instanceof DetectorError)) return named ?? folder.set;
      // Before the first checkpoint none is named; the log names it again, and it was kept before it was asked for.
      const active = named ?? archive.newest();
      if (active === undefined) throw folder;
      notice('the detectors were refused; the set that was active before acts on', { problems: folder.message });
      return active;
    },
  };
}

/** The budget of a class is its profile's, where that asks for one. */
function budgetsOf(library: ReferenceLibrary, standard: number): Budgets {
  const of = (agentId: string) => library.profileOf(agentId).falseAlarmBudget ?? standard;
  return { standard, classes: library.falseAlarmBudgets(), of };
}

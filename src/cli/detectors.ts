import { resolve } from 'node:path';
import { MEASURES } from '../baseline/measures.js';
import { loadConfig } from '../config.js';
import { describeCaseResults, runDetectorCases, type CaseResult } from '../detect/cases.js';
import { loadDetectors } from '../detect/loader.js';
import { contentPath } from '../lib/package-root.js';
import type { CaseLibrary } from '../model/profile.js';
import { openCaseWorld } from '../trial.js';
import { textOf, UsageError, type CliCommand } from './command.js';
import { ProgressLine } from './progress.js';

export const detectors: CliCommand = {
  name: 'detectors',
  usage: 'test [--dir DIR] [--config FILE]',
  summary: 'load all detectors and run their own positive and negative cases',
  options: { dir: { type: 'string' }, config: { type: 'string' } },
  help: { dir: 'folder with the detectors, instead of the configured one', config: 'YAML configuration' },
  run: async (context) => {
    if (context.positionals[0] !== 'test') throw new UsageError('say "parallax detectors test"');
    const config = loadConfig(textOf(context, 'config'), context.env);
    const given = textOf(context, 'dir');
    // Absolute from here on: the cases' own worlds resolve relative names against the package.
    const directory = given === undefined ? contentPath(config.detection.detectorsDir) : resolve(given);
    const set = loadDetectors(directory, MEASURES);
    const progress = new ProgressLine(context.console);
    const results: CaseResult[] = [];
    for (const { definition } of set.detectors) {
      const own = { ...config, detection: { ...config.detection, detectorsDir: directory } };
      const world = (library?: CaseLibrary) => openCaseWorld(own, library);
      results.push(...(await runDetectorCases(definition, world, (name) => progress.show(definition.id, name))));
    }
    progress.done();
    context.console.out(`${set.detectors.length} detectors in ${directory}\n`);
    context.console.out(`${describeCaseResults(results)}\n`);
    return results.every((result) => result.passed) ? 0 : 1;
  },
};

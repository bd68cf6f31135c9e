import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadLearning } from '../baseline/learning.js';
import { loadConfig } from '../config.js';
import { loadLibrary } from '../governance/library-loader.js';
import { contentPath } from '../lib/package-root.js';
import { textOf, type CliCommand } from './command.js';

export const config: CliCommand = {
  name: 'config',
  usage: '--print [--config FILE]',
  summary: 'check the configuration and the reference library; print the configuration and how baselines learn',
  options: { config: { type: 'string' }, print: { type: 'boolean' } },
  help: { config: 'YAML configuration', print: 'print the whole configuration as YAML (never a secret)' },
  run: async (context) => {
    const loaded = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
    const baselinesDir = contentPath(loaded.detection.baselinesDir);
    const library = loadLibrary(baselinesDir);
    const learning = loadLearning(join(baselinesDir, 'learning.yaml'));
    context.console.out(
      context.values['print'] === true
        ? `${stringify(loaded)}---\n# ${join(loaded.detection.baselinesDir, 'learning.yaml')}, with all defaults\n${stringify(learning)}`
        : `the configuration is valid; ${library.toolCount} tools, classes: ${library.classes.join(', ')}\n`,
    );
    return 0;
  },
};

import { resolve } from 'node:path';
import { stringify } from 'yaml';
import { loadConfig } from '../config.js';
import { loadLibrary } from '../governance/library-loader.js';
import { packageRoot } from '../lib/package-root.js';
import { textOf, type CliCommand } from './command.js';

export const config: CliCommand = {
  name: 'config',
  usage: '--print [--config FILE]',
  summary: 'check the configuration and the reference library, and print the configuration with all defaults',
  options: { config: { type: 'string' }, print: { type: 'boolean' } },
  help: { config: 'YAML configuration', print: 'print the whole configuration as YAML (never a secret)' },
  run: async (context) => {
    const loaded = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
    const library = loadLibrary(resolve(packageRoot(), loaded.detection.baselinesDir));
    context.console.out(
      context.values['print'] === true
        ? stringify(loaded)
        : `the configuration is valid; ${library.toolCount} tools, classes: ${library.classes.join(', ')}\n`,
    );
    return 0;
  },
};

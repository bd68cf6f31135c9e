import { stringify } from 'yaml';
import { loadConfig } from '../config.js';
import { textOf, type CliCommand } from './command.js';

export const config: CliCommand = {
  name: 'config',
  usage: '--print [--config FILE]',
  summary: 'check the configuration and print it with all defaults',
  options: { config: { type: 'string' }, print: { type: 'boolean' } },
  help: { config: 'YAML configuration', print: 'print the whole configuration as YAML (never a secret)' },
  run: async (context) => {
    const loaded = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
    context.console.out(context.values['print'] === true ? stringify(loaded) : 'the configuration is valid\n');
    return 0;
  },
};

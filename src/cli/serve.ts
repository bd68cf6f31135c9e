import { once } from 'node:events';
import { signInKeyFile } from '../api/first-keys.js';
import { startApp } from '../app.js';
import { loadConfig } from '../config.js';
import { systemClock } from '../lib/clock.js';
import { createLogger } from '../telemetry/logger.js';
import { textOf, type CliCommand } from './command.js';

export const serve: CliCommand = {
  name: 'serve',
  usage: '[--config FILE]',
  summary: 'run the observer',
  options: { config: { type: 'string' } },
  help: { config: 'YAML configuration; defaults and PARALLAX_* variables otherwise' },
  run: async (context) => {
    const config = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
    const logger = createLogger(config.logLevel);
    const app = await startApp({ config, env: context.env, clock: systemClock, logger });
    // One line for programs that start this one; the log on standard error is for people.
    context.console.out(`${JSON.stringify({ event: 'listening', url: app.url, mode: config.mode })}\n`);
    logger.info({ url: app.url, mode: config.mode, dataDir: config.dataDir }, 'observing');
    const file = signInKeyFile(config);
    logger.info(
      `the page for people: ${config.http.publicUrl ?? app.url}/${file === undefined ? '' : ` (sign in with the key in ${file})`}`,
    );
    process.on('SIGHUP', () => {
      app
        .reloadDetectors()
        .catch((error: unknown) => logger.warn({ error: String(error) }, 'detectors could not be reloaded'));
    });
    const asked = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]).then(() => undefined);
    const cause = await Promise.race([asked, app.failed]);
    if (cause === undefined) logger.info('stopping: finishing what was acknowledged');
    await app.close();
    return cause === undefined ? 0 : 1;
  },
};

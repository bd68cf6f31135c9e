import { once } from 'node:events';
import { signInKeyFile } from '../api/first-keys.js';
import { startApp, type App } from '../app.js';
import { loadConfig } from '../config.js';
import { systemClock } from '../lib/clock.js';
import { createLogger, type Logger } from '../telemetry/logger.js';
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
    // Before anybody is told that it listens: who is told may ask it to stop.
    const asked = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]).then(() => undefined);
    // One line for programs that start this one; the log on standard error is for people.
    context.console.out(
      `${JSON.stringify({ event: 'listening', url: app.url, mode: config.mode, metricsUrl: app.metricsUrl })}\n`,
    );
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
    const cause = await Promise.race([asked, app.failed]);
    if (cause !== undefined) {
      await app.close();
      return 1;
    }
    return drain(app, { deadlineMs: config.drain.deadlineMs, logger });
  },
};

/** Time for the event loop to run empty once everything is closed, ms. */
const LINGER_MS = 2_000;
/** Shells give this for a process that was interrupted. */
const INTERRUPTED = 130;

/** Stops in good order, but no longer than the deadline; a second signal ends the process at once. */
async function drain(app: App, { deadlineMs, logger }: { deadlineMs: number; logger: Logger }): Promise<number> {
  logger.info('stopping: finishing what was acknowledged; once more ends at once');
  const atOnce = (): void => {
    logger.warn('ended at once; what was acknowledged lies in the log, and is scored at the next start');
    process.exit(INTERRUPTED);
  };
  process.once('SIGTERM', atOnce);
  process.once('SIGINT', atOnce);
  const deadline = setTimeout(() => {
    logger.error({ deadlineMs }, 'could not finish in time; what was acknowledged lies in the log for the next start');
    process.exit(1);
  }, deadlineMs);
  await app.drain();
  clearTimeout(deadline);
  process.off('SIGTERM', atOnce);
  process.off('SIGINT', atOnce);
  // All is closed. What still turns then, a retry of some library, must not keep the process from ending.
  const lingering = setTimeout(() => {
    logger.warn('ended although something was still waiting; everything was closed before');
    process.exit(0);
  }, LINGER_MS);
  lingering.unref();
  return 0;
}

/**
 * The whole service as a process of its own, with timers around its parts; for bench/pipeline.ts, which asks it over
 * the process channel. Arguments: a data directory, `timed` for timers, a folder of detectors.
 */
import { startApp } from '../../src/app.js';
import { loadConfig } from '../../src/config.js';
import { systemClock } from '../../src/lib/clock.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { installStageTimers, readStages } from './stage-timers.js';

const [, , dataDir = '', timed = '', detectorsDir = ''] = process.argv;
if (timed === 'timed') installStageTimers();
const config = loadConfig(undefined, {});
const app = await startApp({
  config: {
    ...config,
    dataDir,
    http: { ...config.http, port: 0 },
    mode: 'act',
    logLevel: 'warn',
    detection: detectorsDir === '' ? config.detection : { ...config.detection, detectorsDir },
    // The cap on containments would stop the measurement of how fast they leave.
    respond: {
      ...config.respond,
      caps: { ...config.respond.caps, commandsPerMinute: 10_000, totalCommandsPerMinute: 10_000, maxContainedShare: 1 },
    },
  },
  env: {},
  clock: systemClock,
  logger: createLogger('warn'),
});
process.on('message', (question) => {
  if (question === 'stages') process.send?.(readStages());
  if (question === 'close') {
    void app.close().then(() => {
      process.disconnect();
      return undefined;
    });
  }
});
process.send?.({ url: app.url });

import type { startService } from './child-service.js';
import type { callGateway } from './gateway-caller.js';
import type { waitUntilScored } from './learn.js';
import type { replayWithProcesses } from './replay-processes.js';
import type { replayTable } from './report.js';
import type { childEnvironment, keyFile, writeKeys, writeObserverConfig, writeSecret } from './service-files.js';

export type { ChildService } from './child-service.js';
export type { CallResult } from './gateway-caller.js';
export type { ObserverClient } from './observer-client.js';
export type { Speaker } from './recorded-session.js';
export type { KeyName } from './service-files.js';
export type { PlayedCall } from './replay.js';

/** What a program needs that starts services of its own and speaks to them as a user would. */
export interface ServiceTools {
  startService: typeof startService;
  callGateway: typeof callGateway;
  waitUntilScored: typeof waitUntilScored;
  replayWithProcesses: typeof replayWithProcesses;
  replayTable: typeof replayTable;
  childEnvironment: typeof childEnvironment;
  keyFile: typeof keyFile;
  writeKeys: typeof writeKeys;
  writeObserverConfig: typeof writeObserverConfig;
  writeSecret: typeof writeSecret;
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startService, type ChildService } from './child-service.js';
import { learn, waitUntilScored } from './learn.js';
import { packageRoot } from '../lib/package-root.js';
import { COMMAND_ACTIONS } from '../model/command.js';
import { ObserverClient, ReplayError } from './observer-client.js';
import { writeOutcomes } from './outcomes-file.js';
import { RecordedContent } from './recorded-content.js';
import { replay, type PlayedCall, type ReplayProgress } from './replay.js';
import type { ReplayReport } from './replay-report.js';
import {
  childEnvironment,
  keyFile,
  writeKeys,
  writeObserverConfig,
  writeSecret,
  type KeyName,
} from './service-files.js';

export interface ReplayProcessesOptions {
  /** Recordings to be played. */
  files: readonly string[];
  /** Clean recordings the observer learns from first. */
  trainFiles: readonly string[];
  contentFiles?: readonly string[];
  labelsFiles?: readonly string[];
  speed: number | 'max';
  enforce: 'hold' | 'subscribe' | 'none';
  /** How long a held call waits for a person, ms. Nobody watches a replay: 0. */
  holdMs?: number;
  /** Longest wait of the gateway for a decision, ms. */
  deadlineMs?: number;
  /** Settings over the generated configuration of the observer, group by group. */
  config?: Readonly<Record<string, unknown>>;
  onProgress?: (progress: StageProgress) => void;
  /** Told of every call that the observation stopped. */
  onStop?: (stopped: PlayedCall) => void;
  /** After learning and calibration, before anything is played. */
  afterLearning?: (observer: { url: string; key: string }) => Promise<void>;
  /** Stops everything and cleans up. */
  signal?: AbortSignal;
  /** Keeps the temporary folder (logs, data) for a look. */
  keepFiles?: boolean;
  /** The caller's environment; its own settings (`PARALLAX_*`) are not handed on. */
  env: NodeJS.ProcessEnv;
  /** Command of the observer before `serve --config`; for tests. */
  observerCommand?: readonly [string, ...string[]];
  /** Command of the gateway before `--config`; for tests. */
  gatewayCommand?: readonly [string, ...string[]];
}

export interface StageProgress {
  stage: 'prepare' | 'learn' | 'score' | 'play';
  detail: string;
}

const START_MS = 60_000;
const STOP_MS = 15_000;
const SCORED_LIMIT_MS = 10 * 60_000;
/** A replay squeezes weeks into minutes: the cap that protects a live fleet would only falsify the figures. */
const COMMANDS_PER_MINUTE = 1_000_000;
/** For the same reason a containment must not last for the rest of the recording: long enough for its session, ms. */
const CONTAINMENT_MS = 2_000;
/** Containments of one agent or tool before a person is asked: months of them pass in minutes. */
const MAX_CONTAINMENTS = 1_000;

/**
 * A whole replay with real processes: an observer with data and keys of its own in a temporary folder, the reference
 * gateway beside it, learning from TRAIN, then the recordings. Everything is stopped and removed at the end.
 *
 * @throws ReplayError, RecordedDataError
 */
export async function replayWithProcesses(options: ReplayProcessesOptions): Promise<ReplayReport> {
  const dir = await mkdtemp(join(tmpdir(), 'parallax-replay-'));
  const services: ChildService[] = [];
  const stopAll = async (): Promise<void> => {
    for (const service of services.splice(0).reverse()) await service.stop();
  };
  const onAbort = (): void => void stopAll();
  options.signal?.addEventListener('abort', onAbort);
  try {
    return await runIn(dir, services, options);
  } catch (fault) {
    if (options.signal?.aborted === true) throw new ReplayError('the replay was stopped', { cause: fault });
    throw fault;
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    await stopAll();
    if (options.keepFiles !== true) await rm(dir, { recursive: true, force: true });
  }
}

async function runIn(dir: string, services: ChildService[], options: ReplayProcessesOptions): Promise<ReplayReport> {
  const { files, trainFiles, enforce, speed, signal } = options;
  const say: Say = (stage, detail) => options.onProgress?.({ stage, detail });
  const root = packageRoot();
  const node = process.execPath;
  const { keys, config } = await prepareObserver(dir, options);
  const start = async (name: string, command: readonly [string, ...string[]]): Promise<ChildService> => {
    const logFile = join(dir, `${name}.log`);
    const service = await startService({
      name,
      command,
      cwd: root,
      env: childEnvironment(options.env),
      logFile,
      startMs: START_MS,
      stopMs: STOP_MS,
    });
    services.push(service);
    if (signal?.aborted === true) throw new ReplayError('the replay was stopped');
    return service;
  };
  say('prepare', 'starting the observer');
  const observerCommand = options.observerCommand ?? [node, join(root, 'bin', 'parallax.js')];
  const observer = await start('observer', [...observerCommand, 'serve', '--config', config]);
  const client = new ObserverClient({ url: observer.url, fetch: globalThis.fetch, sleep });
  if (trainFiles.length > 0) await train(client, { keys, files: trainFiles, say });
  await options.afterLearning?.({ url: observer.url, key: keys.admin });
  say('prepare', 'starting the gateway');
  const settings = await prepareGateway(dir, observer.url, options);
  const gatewayCommand = options.gatewayCommand ?? [node, join(root, 'dist', 'src', 'gateway', 'reference', 'main.js')];
  const gateway = await start('gateway', [...gatewayCommand, '--config', settings]);
  return replay({
    observerUrl: observer.url,
    gatewayUrl: gateway.url,
    keys: {
      agentRuntime: keys['agent-runtime'],
      governance: keys.governance,
      platform: keys.platform,
      caller: keys.caller,
      viewer: keys.admin,
    },
    files,
    speed,
    enforce,
    onProgress: (progress) => say('play', describeProgress(progress)),
    ...(signal === undefined ? {} : { signal }),
    ...(options.onStop === undefined ? {} : { onStop: options.onStop }),
    ...(options.labelsFiles === undefined ? {} : { labelsFiles: options.labelsFiles }),
  });
}

type Say = (stage: StageProgress['stage'], detail: string) => void;

/**
 * Learns from vouched recordings, calibrates, then freezes learning: what is played changes no baseline, as in an
 * evaluation. The very last training sessions may still be open by then, and are not learned.
 */
async function train(
  client: ObserverClient,
  { keys, files, say }: { keys: Record<KeyName, string>; files: readonly string[]; say: Say },
): Promise<void> {
  const wait = { key: keys.admin, limitMs: SCORED_LIMIT_MS, sleep, elapsedMs: () => performance.now() };
  await client.setLearning('vouched', keys.admin);
  const onProgress = (events: number): void => say('learn', `${events} events`);
  const { events, refused } = await learn({ observer: client, keys, files, onProgress });
  if (refused.length > 0) {
    throw new ReplayError(`the observer refused ${refused.length} training records: ${JSON.stringify(refused[0])}`);
  }
  say('score', `waiting until ${events} training events are scored`);
  await waitUntilScored(client, wait);
  await client.calibrate(keys.admin);
  await client.setLearning('frozen', keys.admin);
  await waitUntilScored(client, wait);
}

/** Writes keys (0600) and the observer's configuration. */
async function prepareObserver(
  dir: string,
  { enforce, speed, config: overrides, deadlineMs }: ReplayProcessesOptions,
): Promise<{ keys: Record<KeyName, string>; config: string }> {
  const keys = await writeKeys(dir);
  const lasting = speed === 'max' ? { containMs: CONTAINMENT_MS } : {};
  const generated = {
    mode: enforce === 'none' ? 'observe' : 'act',
    respond: {
      // Recordings come from a handful of agents, and what took months passes in minutes: the cap would be all that shows.
      caps: {
        commandsPerMinute: COMMANDS_PER_MINUTE,
        maxContainedShare: 1,
        minContainedAgents: COMMANDS_PER_MINUTE,
      },
      coolDown: { containments: MAX_CONTAINMENTS },
      ...Object.fromEntries(COMMAND_ACTIONS.map((action) => [action, { ...lasting }])),
      // A gateway that only subscribes holds nothing by itself: every incident must reach it as a command.
      'revoke-session': { ...lasting, severity: enforce === 'subscribe' ? 'medium' : 'high' },
    },
    ...(deadlineMs === undefined ? {} : { check: { deadlineMs } }),
  };
  return { keys, config: await writeObserverConfig(dir, generated, overrides ?? {}) };
}

/** Writes the gateway's settings and what its simulated tools answer. */
async function prepareGateway(dir: string, observerUrl: string, options: ReplayProcessesOptions): Promise<string> {
  const { files, contentFiles, enforce, holdMs, deadlineMs } = options;
  const outcomesFile = join(dir, 'outcomes.jsonl');
  await writeOutcomes(files, await RecordedContent.read(contentFiles ?? []), outcomesFile);
  const settings = join(dir, 'gateway.json');
  const content = {
    observerUrl,
    gatewayId: 'gateway',
    observerKeyFile: keyFile(dir, 'gateway'),
    callerKeyFile: keyFile(dir, 'caller'),
    stateFile: join(dir, 'gateway-state.json'),
    enforce,
    holdMs: holdMs ?? 0,
    trustCaller: true,
    auditWaitMs: AUDIT_WAIT_MS,
    outcomesFile,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  };
  await writeSecret(settings, JSON.stringify(content, undefined, 2));
  return settings;
}

const AUDIT_WAIT_MS = 30_000;

function describeProgress({ events, sessions, stopped, elapsedMs }: ReplayProgress): string {
  const rate = elapsedMs > 0 ? Math.round((1000 * events) / elapsedMs) : 0;
  return `${events} events of ${sessions} sessions, ${stopped} stopped, ${rate} events/s`;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { runDemo } from '../demo/demo.js';
import type { DemoParts } from '../demo/parts.js';
import { tellRecorded } from '../demo/recorded.js';
import { startService } from '../sources/child-service.js';
import { callGateway } from '../sources/gateway-caller.js';
import { waitUntilScored } from '../sources/learn.js';
import { ObserverClient } from '../sources/observer-client.js';
import { replayWithProcesses } from '../sources/replay-processes.js';
import { replayTable } from '../sources/report.js';
import { childEnvironment, keyFile, writeKeys, writeObserverConfig, writeSecret } from '../sources/service-files.js';
import { listOf, textOf, UsageError, type CliCommand } from './command.js';
import { ProgressLine } from './progress.js';
import { filesBeside } from './recordings.js';

const MODES = ['act', 'observe'] as const;
const MIN_WIDTH = 80;
const MAX_WIDTH = 110;

const PARTS: DemoParts = {
  startService,
  callGateway,
  waitUntilScored,
  replayWithProcesses,
  replayTable,
  childEnvironment,
  keyFile,
  writeKeys,
  writeObserverConfig,
  writeSecret,
  connect: (url) => new ObserverClient({ url, fetch: globalThis.fetch, sleep: (ms) => sleep(ms) }),
};

export const demo: CliCommand = {
  name: 'demo',
  usage: '[--seed N] [--keep] [--mode act|observe] | --data FILE... [--train FILE...]',
  summary: 'show what it is for: a simulated fleet, seven stories, expected against observed',
  options: {
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean' },
    mode: { type: 'string', default: 'act' },
    data: { type: 'string', multiple: true },
    train: { type: 'string', multiple: true },
  },
  help: {
    seed: 'another world: names, requests, times, who plays which part',
    keep: 'leave everything running at the end and say where to look, until Ctrl-C',
    mode: 'observe: watch only; then nothing is stopped, and the stories do not come out',
    data: 'tell the story of recorded sessions instead (.jsonl or .jsonl.gz)',
    train: 'clean recordings to learn from first; only with --data',
  },
  run: async (context) => {
    if (context.positionals.length > 0) throw new UsageError(`the demo takes no "${context.positionals.join(' ')}"`);
    const seed = Number(textOf(context, 'seed'));
    if (!Number.isSafeInteger(seed) || seed < 0) throw new UsageError('--seed: use a whole number from 0 on');
    const mode = MODES.find((known) => known === context.values['mode']);
    if (mode === undefined) throw new UsageError(`--mode: use ${MODES.join(' or ')}`);
    const trainFiles = listOf(context, 'train');
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
    const { isTTY, columns } = process.stdout;
    const show = {
      parts: PARTS,
      env: context.env,
      out: context.console.out,
      progress: new ProgressLine(context.console),
      isColoured: isTTY && (context.env['NO_COLOR'] ?? '') === '',
      // A pipe has no columns.
      width: isTTY ? Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, columns)) : MAX_WIDTH,
      signal: stop.signal,
    };
    const files = listOf(context, 'data');
    if (files.length > 0) {
      await tellRecorded({
        ...show,
        mode,
        files,
        trainFiles,
        labelsFiles: filesBeside(files, '.labels.json'),
        contentFiles: filesBeside(files, '.content.jsonl.gz'),
      });
      return 0;
    }
    if (trainFiles.length > 0) throw new UsageError('--train: give the recordings to tell of with --data');
    const isLive = context.console.isTerminal;
    const ok = await runDemo({ ...show, seed, mode, isLive, keep: context.values['keep'] === true });
    return ok ? 0 : 1;
  },
};

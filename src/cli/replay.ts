import { replayWithProcesses } from '../sources/replay-processes.js';
import { replayTable } from '../sources/report.js';
import { listOf, textOf, UsageError, type CliCommand } from './command.js';
import { ProgressLine } from './progress.js';
import { filesBeside } from './recordings.js';

const ENFORCE = ['hold', 'subscribe', 'none'] as const;

export const replay: CliCommand = {
  name: 'replay',
  usage: 'FILE... [--train FILE...] [--enforce hold|subscribe|none] [--speed N|max] [--labels FILE...] [--json]',
  summary: 'play recorded sessions through the reference gateway under live observation',
  options: {
    train: { type: 'string', multiple: true },
    labels: { type: 'string', multiple: true },
    content: { type: 'string', multiple: true },
    enforce: { type: 'string', default: 'hold' },
    speed: { type: 'string', default: 'max' },
    json: { type: 'boolean' },
    keep: { type: 'boolean' },
  },
  help: {
    train: 'clean recordings to learn from first',
    labels: 'labels of the played sessions; NAME.labels.json beside NAME.jsonl.gz is found by itself',
    content: 'tool results by call; NAME.content.jsonl.gz beside NAME.jsonl.gz is found by itself',
    enforce: 'hold: writes are checked first; subscribe: only commands are enforced; none: observe only',
    speed: 'times real time, or max',
    json: 'print the report as JSON',
    keep: 'keep the temporary folder with data and logs',
  },
  run: async (context) => {
    const files = context.positionals;
    if (files.length === 0) throw new UsageError('name at least one recording to play');
    const enforce = ENFORCE.find((mode) => mode === context.values['enforce']);
    if (enforce === undefined) throw new UsageError(`--enforce: use ${ENFORCE.join(', ')}`);
    const speed = textOf(context, 'speed') === 'max' ? 'max' : Number(textOf(context, 'speed'));
    if (speed !== 'max' && !(speed > 0)) throw new UsageError('--speed: use a number above 0, or max');
    const given = (name: string, ending: string): string[] => {
      const named = listOf(context, name);
      return named.length > 0 ? named : filesBeside(files, ending);
    };
    const progress = new ProgressLine(context.console);
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    process.once('SIGTERM', () => stop.abort());
    const report = await replayWithProcesses({
      files,
      trainFiles: listOf(context, 'train'),
      labelsFiles: given('labels', '.labels.json'),
      contentFiles: given('content', '.content.jsonl.gz'),
      enforce,
      speed,
      env: context.env,
      signal: stop.signal,
      keepFiles: context.values['keep'] === true,
      onProgress: ({ stage, detail }) => progress.show(stage, detail),
    });
    progress.done();
    context.console.out(
      context.values['json'] === true ? `${JSON.stringify(report, undefined, 2)}\n` : `${replayTable(report)}\n`,
    );
    return 0;
  },
};

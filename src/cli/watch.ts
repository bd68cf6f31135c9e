import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { stableId } from '../lib/hash.js';
import { pause } from '../lib/backoff.js';
import { inertText, MAX_LINE_CHARS } from '../lib/text/inert-text.js';
import { ObserverClient } from '../sources/observer-client.js';
import { OffsetsFile } from '../sources/transcript/offsets-file.js';
import { watchTranscripts, type WatchCounts } from '../sources/transcript/watch.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';
import { addressOf, OBSERVER_HELP, OBSERVER_OPTIONS } from './observer.js';
import { ProgressLine } from './progress.js';

const STOPS = ['SIGINT', 'SIGTERM'] as const;

export const watch: CliCommand = {
  name: 'watch',
  usage: 'DIR [--agent NAME] [--history] [--once] [--state FILE]',
  summary: 'follow local transcripts of Claude Code and send what they say to an observer',
  options: {
    ...OBSERVER_OPTIONS,
    agent: { type: 'string' },
    history: { type: 'boolean' },
    once: { type: 'boolean' },
    state: { type: 'string' },
  },
  help: {
    agent: 'name of the agent; claude-code@<this machine> otherwise',
    history: 'at the first run, take in also what is there already',
    once: 'end when all that is there now has been taken in',
    state: 'file that remembers what was taken in; one in ~/.local/state/parallax for each DIR otherwise',
    ...OBSERVER_HELP,
    'key-file':
      'file with the key to use, of role ingest with the streams reasoning, action and metric; or PARALLAX_KEY',
  },
  run: async (context) => {
    const [directory, ...more] = context.positionals;
    if (directory === undefined || more.length > 0) {
      throw new UsageError('name one folder with transcripts, for example ~/.claude/projects');
    }
    const { url, key } = addressOf(context);
    const stop = new AbortController();
    const asked = (): void => stop.abort();
    for (const signal of STOPS) process.once(signal, asked);
    const client = new ObserverClient({ url, fetch, sleep: (ms) => pause(ms, stop.signal), tries: 2 });
    const progress = new ProgressLine(context.console);
    const watching = watchTranscripts({
      directory: resolve(directory),
      agentId: textOf(context, 'agent') ?? `claude-code@${hostname()}`,
      offsets: new OffsetsFile(stateFile(context, directory)),
      post: (observations) => client.post(observations, key),
      withHistory: context.values['history'] === true,
      once: context.values['once'] === true,
      signal: stop.signal,
      onProgress: (now) => progress.show(now.isAway ? 'waiting for the observer' : 'watching', detailOf(now)),
    });
    const counts = await watching.finally(() => {
      for (const signal of STOPS) process.off(signal, asked);
      progress.done();
    });
    context.console.out(`${detailOf(counts)}\n`);
    return counts.refused === 0 ? 0 : 1;
  },
};

function stateFile(context: CommandContext, directory: string): string {
  const named = textOf(context, 'state');
  if (named !== undefined) return named;
  const base = context.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state');
  return join(base, 'parallax', `${stableId('watch', resolve(directory))}.json`);
}

function detailOf({ files, sent, refused, unreadable, firstRefusal }: WatchCounts): string {
  const parts = [`${files} files`, `${sent} records sent`];
  if (unreadable > 0) parts.push(`${unreadable} lines that are no entries`);
  if (firstRefusal !== undefined) {
    const { field, reason } = firstRefusal;
    parts.push(`${refused} refused, the first because ${field} ${inertText(reason, MAX_LINE_CHARS)}`);
  }
  return parts.join(', ');
}

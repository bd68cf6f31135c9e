import type { PlayedCall } from '../sources/port.js';
import { clean, milliseconds, Narrator } from './narrator.js';
import { makePaint } from './paint.js';
import type { DemoParts } from './parts.js';

export interface RecordedOptions {
  parts: DemoParts;
  /** Recordings to tell of, and clean ones to learn from first. */
  files: readonly string[];
  trainFiles: readonly string[];
  labelsFiles: readonly string[];
  contentFiles: readonly string[];
  mode: 'observe' | 'act';
  env: NodeJS.ProcessEnv;
  out: (text: string) => void;
  progress: { show: (stage: string, detail: string) => void; done: () => void };
  isColoured: boolean;
  width: number;
  signal: AbortSignal;
}

/** Stopped sessions that are told one by one; the rest is in the table. */
const MAX_TOLD = 24;

/**
 * Plays recorded sessions through a real gateway under live observation, and tells what was stopped.
 *
 * @throws ReplayError, RecordedDataError
 */
export async function tellRecorded(options: RecordedOptions): Promise<void> {
  const { parts, files, trainFiles, labelsFiles, contentFiles, mode, env, out, progress, width, signal } = options;
  const paint = makePaint(options.isColoured);
  const narrator = new Narrator({ out, paint, width });
  narrator.say(paint.bold(`Parallax demo: ${files.map((file) => clean(file, 80)).join(', ')}`));
  if (trainFiles.length === 0) {
    narrator.say('Nothing to learn from (--train): only broken rules can be found, not what is unusual for an agent.');
  }
  let told = 0;
  const report = await parts.replayWithProcesses({
    files,
    trainFiles,
    labelsFiles,
    contentFiles,
    speed: 'max',
    enforce: mode === 'act' ? 'hold' : 'none',
    env,
    signal,
    onProgress: ({ stage, detail }) => progress.show(stage, detail),
    onStop: (stopped) => {
      progress.done();
      if (++told <= MAX_TOLD) tellStop(narrator, stopped);
      else if (told === MAX_TOLD + 1) narrator.say('   ... and so on; the table has them all.');
    },
  });
  progress.done();
  narrator.say('');
  narrator.say(parts.replayTable(report));
}

function tellStop(narrator: Narrator, { agentId, sessionId, tool, timeMs, how, result }: PlayedCall): void {
  const when = new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
  const after = result.latencyMs === undefined ? '' : ` after ${milliseconds(result.latencyMs)}`;
  narrator.note(how, `${when}  ${clean(agentId, 40)} ${clean(sessionId, 60)}: ${clean(tool, 60)}${after}`);
  narrator.note('', clean(result.reason, 240));
}

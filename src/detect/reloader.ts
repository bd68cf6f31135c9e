import type { Clock } from '../lib/clock.js';
import { FolderWatch } from '../lib/folder-watch.js';
import type { DetectorFile } from './detector-file.js';
import { describeProblem, DetectorError, type DetectorSet } from './loader.js';

/** Problems shown; a broken tool can make a thousand. */
const MAX_SHOWN = 20;

export type ReloadResult =
  | { status: 'activated' | 'unchanged'; hash: string; detectors: number }
  | { status: 'refused'; hash: string; problems: string[] };

export interface ReloaderOptions {
  directory: string;
  /** Hash of the set that is at work (or was asked for last). */
  hash: string;
  read: (directory: string) => DetectorFile[];
  /** @throws DetectorError */
  parse: (files: readonly DetectorFile[]) => DetectorSet;
  /** Keeps the set's text and asks for it in the log; resolves when the log has committed that. */
  activate: (set: DetectorSet, files: readonly DetectorFile[]) => Promise<void>;
  clock: Clock;
  /** Something an operator should know. */
  onNotice: (level: 'info' | 'warn', message: string, facts: Record<string, unknown>) => void;
}

/**
 * Takes changed detectors into service while it runs. A set with any mistake is refused as a whole: the old one acts
 * on, and the reason is shown until a good one comes.
 */
export class DetectorReloader {
  readonly #options: ReloaderOptions;
  readonly #watch: FolderWatch;
  #running: Promise<unknown> = Promise.resolve();
  #hash: string;
  #problems: string[] = [];
  #checkedAt: number | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#hash = options.hash;
    const { directory, onNotice } = options;
    this.#watch = new FolderWatch({
      directory,
      changed: () => this.#changed(),
      lost: (error) =>
        onNotice('warn', 'the detectors are not watched any more; ask for a reload by hand', {
          directory,
          error: String(error),
        }),
    });
  }

  /** Watches the folder until `stop`. Where that is not possible it says so; asking by hand still works. */
  start(): void {
    this.#watch.start();
  }

  async stop(): Promise<void> {
    this.#watch.stop();
    await this.#running;
  }

  /** Reads the folder now. One at a time, in order. */
  reload(): Promise<ReloadResult> {
    const result = this.#running.then(() => this.#reload());
    this.#running = result.catch(() => undefined);
    return result;
  }

  /** For `/v1/status`. */
  status(): Record<string, unknown> {
    return {
      directory: this.#options.directory,
      asked: this.#hash,
      watched: this.#watch.isWatching,
      checkedAt: this.#checkedAt ?? null,
      /** Why what is in the folder is not at work; empty where it is. */
      refused: this.#problems,
    };
  }

  #changed(): void {
    this.reload().catch((error: unknown) => {
      this.#options.onNotice('warn', 'detectors could not be reloaded', { error: String(error) });
    });
  }

  async #reload(): Promise<ReloadResult> {
    const { directory, read, parse, activate, clock, onNotice } = this.#options;
    this.#checkedAt = clock.now();
    let files: DetectorFile[];
    let set: DetectorSet;
    try {
      files = read(directory);
      set = parse(files);
    } catch (error) {
      if (!(error instanceof DetectorError)) throw error;
      this.#problems = error.problems.slice(0, MAX_SHOWN).map(describeProblem);
      onNotice('warn', 'the detectors were refused; the old set acts on', { problems: this.#problems });
      return { status: 'refused', hash: this.#hash, problems: this.#problems };
    }
    this.#problems = [];
    const { hash } = set;
    const detectors = set.detectors.length;
    if (hash === this.#hash) return { status: 'unchanged', hash, detectors };
    await activate(set, files);
    this.#hash = hash;
    return { status: 'activated', hash, detectors };
  }
}

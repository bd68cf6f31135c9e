import { watch, type FSWatcher } from 'node:fs';
import type { Clock } from '../lib/clock.js';
import type { DetectorFile } from './detector-file.js';
import { describeProblem, DetectorError, type DetectorSet } from './loader.js';

/** Editors write a file in several steps: wait until the folder has been quiet for so long, ms. */
const QUIET_MS = 300;
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
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #hash: string;
  #problems: string[] = [];
  #checkedAt: number | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#hash = options.hash;
  }

  /** Watches the folder until `stop`. Where that is not possible it says so; asking by hand still works. */
  start(): void {
    const { directory, onNotice } = this.#options;
    const lost = (error: unknown) => {
      this.#watcher?.close();
      this.#watcher = undefined;
      onNotice('warn', 'the detectors are not watched any more; ask for a reload by hand', {
        directory,
        error: String(error),
      });
    };
    try {
      this.#watcher = watch(directory, { persistent: false }, () => this.#changed());
      this.#watcher.on('error', lost);
    } catch (error) {
      lost(error);
    }
  }

  async stop(): Promise<void> {
    this.#watcher?.close();
    clearTimeout(this.#timer);
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
      watched: this.#watcher !== undefined,
      checkedAt: this.#checkedAt ?? null,
      /** Why what is in the folder is not at work; empty where it is. */
      refused: this.#problems,
    };
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.reload().catch((error: unknown) => {
        this.#options.onNotice('warn', 'detectors could not be reloaded', { error: String(error) });
      });
    }, QUIET_MS);
    this.#timer.unref();
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

import { watch, type FSWatcher } from 'node:fs';

/** Editors write a file in several steps: wait until the folder has been quiet for so long, ms. */
const QUIET_MS = 300;

export interface FolderWatchOptions {
  directory: string;
  /** Something in the folder changed, and it has been quiet since. */
  changed: () => void;
  /** The folder is not watched, or not any more. */
  lost: (error: unknown) => void;
}

/** Watches a folder that people edit. */
export class FolderWatch {
  readonly #options: FolderWatchOptions;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  get isWatching(): boolean {
    return this.#watcher !== undefined;
  }

  start(): void {
    const lost = (error: unknown) => {
      this.#watcher?.close();
      this.#watcher = undefined;
      this.#options.lost(error);
    };
    try {
      this.#watcher = watch(this.#options.directory, { persistent: false }, () => this.#noticed());
      this.#watcher.on('error', lost);
    } catch (error) {
      lost(error);
    }
  }

  stop(): void {
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }

  #noticed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#options.changed, QUIET_MS);
    this.#timer.unref();
  }
}

interface Waiting {
  value: number;
  resolve: (() => void)[];
  reject: ((error: unknown) => void)[];
}

/**
 * Cursors that move alone: of those that are set within a moment only the last value of each is written. Whoever set an
 * earlier one waits for that, so a cursor is never ahead of what is written.
 */
export class CursorGathering {
  readonly #lingerMs: number;
  readonly #write: (name: string, value: number) => Promise<void>;
  #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;

  /** @param write puts a cursor into the next write that begins */
  constructor(lingerMs: number, write: (name: string, value: number) => Promise<void>) {
    this.#lingerMs = lingerMs;
    this.#write = write;
  }

  /** Resolves when this value, or a later one, is written. */
  set(name: string, value: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(name) ?? { value, resolve: [], reject: [] };
      waiting.value = value;
      waiting.resolve.push(resolve);
      waiting.reject.push(reject);
      this.#waiting.set(name, waiting);
      this.#timer ??= setTimeout(() => this.flush(), this.#lingerMs);
    });
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = this.#waiting;
    this.#waiting = new Map();
    for (const [name, { value, resolve, reject }] of all) {
      this.#write(name, value).then(
        () => resolve.forEach((each) => each()),
        (error: unknown) => reject.forEach((each) => each(error)),
      );
    }
  }

  /** Refuses what waits. */
  end(error: Error): void {
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting.values()) for (const each of reject) each(error);
    this.#waiting.clear();
  }
}

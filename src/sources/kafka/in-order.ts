/** Tasks that run beside each other and end in the order in which they began. */
export class InOrder {
  readonly #running: Promise<void>[] = [];
  #hasFailed = false;
  #failure: unknown;

  /**
   * Begins a task. When it and all before it are done, `end` gets its result; after a failure nothing ends any more.
   *
   * @param ahead how many tasks may be on their way when this resolves
   * @throws what an earlier task threw
   */
  async run<T>(task: () => Promise<T>, end: (result: T) => Promise<void>, ahead: number): Promise<void> {
    this.#throwFailure();
    const before = this.#running.at(-1);
    const ended = this.#follow(task(), before, end);
    this.#running.push(ended);
    while (this.#running.length > ahead) await this.#running[0];
    this.#throwFailure();
  }

  /** Resolves when nothing is on its way. */
  async settled(): Promise<void> {
    while (this.#running.length > 0) await this.#running[0];
  }

  #throwFailure(): void {
    if (this.#hasFailed) throw this.#failure;
  }

  /** Never rejects. */
  async #follow<T>(
    task: Promise<T>,
    before: Promise<void> | undefined,
    end: (result: T) => Promise<void>,
  ): Promise<void> {
    try {
      const [result] = await Promise.all([task, before]);
      if (!this.#hasFailed) await end(result);
    } catch (error) {
      if (!this.#hasFailed) this.#failure = error;
      this.#hasFailed = true;
    } finally {
      void this.#running.shift();
    }
  }
}

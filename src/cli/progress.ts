import type { Console } from './command.js';

/** A line that is drawn over itself on a terminal; elsewhere one line per stage, so that logs stay readable. */
export class ProgressLine {
  readonly #console: Console;
  #stage = '';
  #isDrawn = false;

  constructor(console: Console) {
    this.#console = console;
  }

  show(stage: string, detail: string): void {
    if (this.#console.isTerminal) {
      this.#console.err(`\r\u001b[K${stage}: ${detail}`);
      this.#isDrawn = true;
    } else if (stage !== this.#stage) {
      this.#console.err(`${stage} ...\n`);
    }
    this.#stage = stage;
  }

  done(): void {
    if (this.#isDrawn) this.#console.err('\r\u001b[K');
    this.#isDrawn = false;
  }
}

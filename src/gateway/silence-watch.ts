import type { GatewayEvent } from './port.js';

export interface SilenceWatchOptions {
  /** Longest silence that is borne, ms. */
  silentAfterMs: number;
  /** Monotonic, ms. */
  elapsedMs: () => number;
  report: (event: GatewayEvent) => void;
}

/**
 * Whether the observer has been silent for too long: neither a message nor a sign of life that it signed. What the
 * gateway knows may then be out of date.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = 0;
  #isSilent = false;
  #silences = 0;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  /** Looked at before every call, so it is a field and no look at a clock. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Times that the observer fell silent. */
  get silences(): number {
    return this.#silences;
  }

  /** @param isSilent begin as if the silence had lasted too long already */
  start(isSilent: boolean): void {
    if (this.#timer !== undefined) return;
    this.#heardAt = this.#options.elapsedMs();
    this.#timer = setTimeout(() => this.#fallSilent(), this.#options.silentAfterMs);
    this.#timer.unref();
    if (isSilent) this.#fallSilent();
  }

  /** The observer said something that it signed. */
  heard(): void {
    const now = this.#options.elapsedMs();
    const silentMs = Math.round(now - this.#heardAt);
    this.#heardAt = now;
    this.#timer?.refresh();
    if (!this.#isSilent) return;
    this.#isSilent = false;
    this.#options.report({ type: 'observer-heard', silentMs });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #fallSilent(): void {
    if (this.#isSilent) return;
    this.#isSilent = true;
    this.#silences++;
    const silentMs = Math.round(this.#options.elapsedMs() - this.#heardAt);
    this.#options.report({ type: 'observer-silent', silentMs });
  }
}

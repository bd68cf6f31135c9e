import type { Clock } from '../lib/clock.js';
import { LogFullError } from './log-errors.js';

/** How often the volume and the map are looked at, ms. Between two looks, admitted bytes are counted instead. */
const LOOK_EVERY_MS = 1000;

/** What the guard looks at. */
export interface SpaceUse {
  /** Bytes that live records, state and outbox take. */
  usedBytes: number;
  /** Bytes of the file on disk; what is not used in it is taken again before the file grows. */
  fileBytes: number;
  /** Bytes that this user may still write on the volume. */
  freeBytes: number;
}

export interface SpaceGuardOptions {
  clock: Clock;
  look: () => SpaceUse;
  /** Most bytes that may be used. */
  maxBytes: number;
  /** Bytes kept back, of the volume and of `maxBytes`, so that state and truncation still go through when full. */
  reserveBytes: number;
}

/** Refuses appends before the disk is full, so that scoring, responding and truncation can still write. */
export class SpaceGuard {
  readonly #options: SpaceGuardOptions;
  #use: SpaceUse | undefined;
  #lookedAtMs = 0;
  #admittedBytes = 0;

  constructor(options: SpaceGuardOptions) {
    this.#options = options;
  }

  /**
   * Admits `bytes` more.
   *
   * @throws LogFullError when that would reach into the reserve
   */
  admit(bytes: number): void {
    const { maxBytes, reserveBytes } = this.#options;
    const use = this.#current();
    const wanted = this.#admittedBytes + bytes;
    if (use.usedBytes + wanted > maxBytes - reserveBytes) {
      throw new LogFullError(
        'size',
        `The log holds ${use.usedBytes} of at most ${maxBytes} bytes (${reserveBytes} reserved); ` +
          'let the readers catch up, shorten retention, or raise the limit.',
      );
    }
    if (use.freeBytes + use.fileBytes - use.usedBytes - wanted < reserveBytes) {
      throw new LogFullError(
        'disk',
        `The volume has ${use.freeBytes} bytes free, and ${reserveBytes} are kept back; free some space.`,
      );
    }
    this.#admittedBytes = wanted;
  }

  /** Looks again at the next admission: records were dropped. */
  invalidate(): void {
    this.#use = undefined;
  }

  #current(): SpaceUse {
    const nowMs = this.#options.clock.now();
    // A clock that was set back must not stop the looking.
    if (this.#use === undefined || Math.abs(nowMs - this.#lookedAtMs) >= LOOK_EVERY_MS) {
      this.#use = this.#options.look();
      this.#lookedAtMs = nowMs;
      this.#admittedBytes = 0;
    }
    return this.#use;
  }
}

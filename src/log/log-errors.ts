/** Which limit an append ran into. */
export type LogFullReason = 'disk' | 'size' | 'queue';

/**
 * The log takes no more records for now: the caller answers 503 and the sender tries again later.
 *
 * Carries `code: 'LOG_FULL'`, so that a stage which may not import this file still recognises it.
 */
export class LogFullError extends Error {
  readonly code = 'LOG_FULL';
  readonly reason: LogFullReason;

  constructor(reason: LogFullReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LogFullError';
    this.reason = reason;
  }
}

/** The log, or the environment under it, was closed. */
export class LogClosedError extends Error {
  readonly code = 'LOG_CLOSED';

  constructor(message = 'The log is closed; open it again before using it.') {
    super(message);
    this.name = 'LogClosedError';
  }
}

/** A reader asks for records that retention has dropped: for it there is a gap, which must not pass in silence. */
export class LogTruncatedError extends Error {
  readonly code = 'LOG_TRUNCATED';
  readonly position: number;
  readonly tail: number;

  constructor(position: number, tail: number) {
    super(
      `Position ${position} is no longer in the log, which begins at ${tail}; the reader missed what lies between.`,
    );
    this.name = 'LogTruncatedError';
    this.position = position;
    this.tail = tail;
  }
}

/** Bytes in the log are not what the log writes. Never skipped: a person decides. */
export class LogDamagedError extends Error {
  readonly code = 'LOG_DAMAGED';
  readonly position: number;

  constructor(position: number, message: string, options?: ErrorOptions) {
    super(`Log record at position ${position}: ${message}`, options);
    this.name = 'LogDamagedError';
    this.position = position;
  }
}

/** A commit failed in a way after which nothing may be assumed about the file: reopen, do not retry. */
export class EnvironmentFailedError extends Error {
  readonly code = 'ENVIRONMENT_FAILED';

  constructor(directory: string, cause: unknown) {
    super(`A commit to ${directory} failed, so nothing more is written; restart to reopen and verify it.`, { cause });
    this.name = 'EnvironmentFailedError';
  }
}

/** Records that have their positions already came when the log was elsewhere: one before them has failed. */
export class OutOfPlaceError extends Error {
  readonly code = 'OUT_OF_PLACE';

  constructor(after: number, head: number) {
    super(`The records follow position ${after} and the log is at ${head}; send again what follows that.`);
    this.name = 'OutOfPlaceError';
  }
}

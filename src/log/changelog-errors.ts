/**
 * The changelog cannot be followed from here on: consume it again from `from`. Not a fault: a store that may differ from
 * its changelog is emptied and made anew, and one that stops being the owner looks again at what it left undone.
 */
export class ChangelogRewindError extends Error {
  readonly code = 'CHANGELOG_REWIND';
  readonly from: number;

  constructor(from: number, why: string) {
    super(`${why}; the changelog is to be read again from offset ${from}.`);
    this.name = 'ChangelogRewindError';
    this.from = from;
  }
}

/** Somebody else owns the partition by now: nothing more may be written. */
export class FencedError extends Error {
  readonly code = 'FENCED';

  constructor(why: string) {
    super(`The partition has another owner: ${why}. Nothing more is written here.`);
    this.name = 'FencedError';
  }
}

/** After a write of the changelog, or of the store behind it, has failed, nothing may be assumed of either. */
export class ReplicationStoppedError extends Error {
  readonly code = 'REPLICATION_STOPPED';

  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      `The scoring store could not be replicated, so nothing more is written; take the partition over again. ${why}`,
      {
        cause,
      },
    );
    this.name = 'ReplicationStoppedError';
  }
}

/** An entry of the changelog is not what is written there. Never skipped: a person decides. */
export class ChangelogDamagedError extends Error {
  readonly code: string = 'CHANGELOG_DAMAGED';

  constructor(offset: number, what: string, options?: ErrorOptions) {
    super(
      `The changelog holds ${what} at offset ${offset}; it was damaged, or written by a newer version or by something else.`,
      options,
    );
    this.name = 'ChangelogDamagedError';
  }
}

/** The changelog lacks what it must have: compaction has taken old values before the next owner could save them. */
export class ChangelogIncompleteError extends Error {
  readonly code = 'CHANGELOG_INCOMPLETE';

  constructor(what: string) {
    super(
      `The changelog does not give a whole store: ${what}. Values that a half-written checkpoint or a former owner had ` +
        'overwritten were compacted away before a new owner could write them again: min.compaction.lag.ms of the state ' +
        'topic is shorter than the partition was without an owner. Start a node that still holds the partition; or, if ' +
        'there is none, delete the records of this partition of the state topic, so that its scoring begins anew with ' +
        'the oldest records of the log; and raise min.compaction.lag.ms.',
    );
    this.name = 'ChangelogIncompleteError';
  }
}

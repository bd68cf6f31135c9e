/** A data directory that this version cannot read. The message says which can. */
export class FormatError extends Error {
  override name = 'FormatError';
}

/** What raised the format: a program that knows only the one before could not read what is written since. */
interface FormatStep {
  to: number;
  why: string;
  /** Stored number of the newest type of record that a log of this format may hold. */
  newestType: number;
}

/**
 * The formats of the data directory, oldest first. Add a step where an older program could no longer read what this one
 * writes: a new type of record, another layout of segments, state under other keys or of another shape. What an older
 * program merely does not know and passes over raises nothing.
 */
export const FORMATS: readonly FormatStep[] = [
  { to: 1, why: 'the first', newestType: 8 },
  {
    to: 2,
    why: 'checkpoints are staged, and effects have a position of their own; without them it means the same',
    newestType: 8,
  },
  {
    to: 3,
    why: 'troubles of emitters, reads of content, erasures and leases are records; nothing there changes',
    newestType: 12,
  },
];

/** The format that this version writes. */
export const FORMAT = FORMATS.at(-1)?.to ?? 0;

/**
 * Brings the format of a directory up to the present one.
 *
 * @param stored what the directory says; undefined for a new one
 * @param write makes the new format durable
 * @throws FormatError for one that was written by a newer version; nothing is changed then
 */
export function bringUp(directory: string, stored: unknown, write: (format: number) => void): void {
  if (stored === FORMAT) return;
  if (stored !== undefined && !FORMATS.some(({ to }) => to === stored)) {
    throw new FormatError(
      `${directory} has format ${JSON.stringify(stored)} and this version reads up to ${FORMAT}; ` +
        'start the version that wrote it, or set another dataDir. Nothing was changed.',
    );
  }
  // No step so far changes what is stored: each only lets something new be written.
  write(FORMAT);
}

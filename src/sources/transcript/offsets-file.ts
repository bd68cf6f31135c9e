import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../../lib/replace-file.js';
import { RecordedDataError } from '../line-reader.js';

/** How far a file has been taken in, and how it began: another file under its name begins anew. */
export interface Place {
  offset: number;
  head: { bytes: number; hash: string };
}

const placeSchema = z.strictObject({
  offset: z.number().int().min(0),
  head: z.strictObject({ bytes: z.number().int().min(0), hash: z.string() }),
});
const fileSchema = z.strictObject({ version: z.literal(1), files: z.record(z.string(), placeSchema) });

/** Remembers across restarts what the observer has committed. */
export class OffsetsFile {
  readonly #path: string;
  readonly #places: Map<string, Place>;
  /** Nothing was remembered yet. */
  readonly isNew: boolean;
  #isChanged = false;

  /** @throws RecordedDataError when the file is there and cannot be used */
  constructor(path: string) {
    this.#path = path;
    const text = readIfThere(path);
    this.isNew = text === undefined;
    this.#places = new Map(text === undefined ? [] : Object.entries(parse(text, path)));
  }

  get(name: string): Place | undefined {
    return this.#places.get(name);
  }

  set(name: string, place: Place): void {
    this.#places.set(name, place);
    this.#isChanged = true;
  }

  /** Forgets files that are gone. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#places.keys()) {
      if (names.has(name)) continue;
      this.#places.delete(name);
      this.#isChanged = true;
    }
  }

  /** Writes what has changed; durable when it returns. */
  save(): void {
    if (!this.#isChanged && !this.isNew) return;
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    replaceFile(this.#path, `${JSON.stringify({ version: 1, files: Object.fromEntries(this.#places) })}\n`);
    this.#isChanged = false;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (fault) {
    if (fault instanceof Error && 'code' in fault && fault.code === 'ENOENT') return undefined;
    throw new RecordedDataError(`${path}: cannot be read; check its permissions, or name another with --state`, {
      cause: fault,
    });
  }
}

function parse(text: string, path: string): Record<string, Place> {
  try {
    return fileSchema.parse(JSON.parse(text)).files;
  } catch (fault) {
    const fix = 'is no state of "parallax watch"; remove it to begin anew, or name another with --state';
    throw new RecordedDataError(`${path}: ${fix}`, { cause: fault });
  }
}

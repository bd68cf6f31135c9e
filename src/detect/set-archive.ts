import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { DetectorFile } from './detector-file.js';
import { parseDetectors, type DetectorSet } from './loader.js';
import type { MeasureNames } from './port.js';

/** Sets kept; the oldest give way. */
const MAX_KEPT = 64;
const HASH = /^[0-9a-f]{64}$/;
const storedSchema = z.array(z.strictObject({ file: z.string(), text: z.string() }));

/**
 * The text of every detector set that was activated, by its hash: an activation in the log names only the hash, and a
 * restart or a replay must find the same detectors again, whatever is in the folder by then.
 */
export class DetectorArchive {
  readonly #directory: string;
  readonly #measures: MeasureNames;
  /** The set asked for last. */
  #latest: DetectorSet | undefined;

  /** @param directory made where it is missing */
  constructor(directory: string, measures: MeasureNames) {
    this.#directory = directory;
    this.#measures = measures;
  }

  /** Keeps a set's text. On return it is on disk, so that the log may name it. */
  keep(set: DetectorSet, files: readonly DetectorFile[]): void {
    this.#latest = set;
    const file = this.#fileOf(set.hash);
    if (existsSync(file)) return;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const fresh = `${file}.new`;
    writeFileSync(fresh, JSON.stringify(files), { mode: 0o600, flush: true });
    renameSync(fresh, file);
    this.#prune();
  }

  /** The set with this hash; undefined where its text is gone or this program cannot run it. */
  find(hash: string): DetectorSet | undefined {
    if (this.#latest?.hash === hash) return this.#latest;
    if (!HASH.test(hash)) return undefined;
    try {
      const files = storedSchema.parse(JSON.parse(readFileSync(this.#fileOf(hash), 'utf8')));
      const set = parseDetectors(files, this.#measures);
      if (set.hash !== hash) return undefined;
      this.#latest = set;
      return set;
    } catch {
      return undefined;
    }
  }

  /** The set that was kept last and can still be run; undefined where there is none. */
  newest(): DetectorSet | undefined {
    if (!existsSync(this.#directory)) return undefined;
    for (const { name } of this.#kept()) {
      const set = this.find(name.slice(0, -'.json'.length));
      if (set !== undefined) return set;
    }
    return undefined;
  }

  #fileOf(hash: string): string {
    return join(this.#directory, `${hash}.json`);
  }

  #prune(): void {
    for (const { name } of this.#kept().slice(MAX_KEPT)) rmSync(join(this.#directory, name), { force: true });
  }

  /** Newest first. */
  #kept(): { name: string; time: number }[] {
    return readdirSync(this.#directory)
      .filter((name) => name.endsWith('.json'))
      .map((name) => ({ name, time: statSync(join(this.#directory, name)).mtimeMs }))
      .sort((a, b) => b.time - a.time || (a.name < b.name ? -1 : 1));
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { MEASURES } from '../baseline/measures.js';
import type { DetectorFile } from '../detect/detector-file.js';
import { DetectorError, parseDetectors, type DetectorSet } from '../detect/loader.js';
import type { DetectorArchive } from '../detect/set-archive.js';
import type { Registry } from './registry.js';

const PREFIX = 'detectors/';
const filesSchema = z.array(z.strictObject({ file: z.string(), text: z.string() }));
/** How long scoring waits for the text of a set that the log activates, ms; it is written before the activation. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 20;

/** Detector sets are activated by a record of the log that names their hash; their text comes to every node this way. */
export class SharedDetectors {
  readonly #registry: Registry;
  readonly #archive: DetectorArchive;

  constructor(registry: Registry, archive: DetectorArchive) {
    this.#registry = registry;
    this.#archive = archive;
  }

  /** Gives a set to all nodes. Resolves when it may be activated. */
  async share(set: DetectorSet, files: readonly DetectorFile[]): Promise<void> {
    this.#archive.keep(set, files);
    if (this.#registry.get(PREFIX + set.hash) !== undefined) return;
    await this.#registry.put([{ key: PREFIX + set.hash, value: files }]);
  }

  /** A fact of the registry changed. */
  changed(key: string): void {
    if (key.startsWith(PREFIX)) this.#keep(key.slice(PREFIX.length));
  }

  /** Waits a while until a set is here. What never comes is told by scoring, which goes on with the set before. */
  async await(hash: string): Promise<void> {
    for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += LOOK_MS) {
      if (this.#archive.find(hash) !== undefined) return;
      await sleep(LOOK_MS);
    }
  }

  #keep(hash: string): void {
    const files = filesSchema.safeParse(this.#registry.get(PREFIX + hash));
    if (!files.success) return;
    try {
      const set = parseDetectors(files.data, MEASURES);
      if (set.hash === hash) this.#archive.keep(set, files.data);
    } catch (error) {
      // A newer node's detectors, which this one cannot run: scoring says so when they are activated.
      if (!(error instanceof DetectorError)) throw error;
    }
  }
}

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, readCheckedYaml } from '../../lib/checked-yaml.js';
import { FolderWatch } from '../../lib/folder-watch.js';
import type { Normalizer } from '../port.js';
import { mappedFormat, mappingOf, type Mapping } from './mapping.js';
import { mappingSchema } from './mapping-schema.js';

const MAX_MAPPINGS = 256;
/** Problems shown; a broken tool can make a thousand. */
const MAX_SHOWN = 20;
const SUFFIX = '.yaml';

/** A mapping's file that cannot be used: each line says file, line, field and fix. */
export class MappingError extends Error {
  override name = 'MappingError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** Reads one file; the mapping is called as the file is. @throws MappingError */
export function readMapping(file: string): Mapping {
  const name = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
  if (!/^[a-z0-9-]{1,64}\.yaml$/.test(name)) {
    throw new MappingError([`${file}: name it in lower-case letters, digits and hyphens, ending in ${SUFFIX}`]);
  }
  const problems: string[] = [];
  const definition = readCheckedYaml(file, { schema: mappingSchema, fieldsIn: 'docs/sources.md', problems });
  if (definition === undefined) throw new MappingError(problems.length > 0 ? problems : [`${file}: is not there`]);
  return mappingOf(name.slice(0, -SUFFIX.length), definition);
}

export interface MappingFolderOptions {
  directory: string;
  /** Something an operator should know. */
  notice: (message: string, facts: Record<string, unknown>) => void;
}

/**
 * The mappings of a folder, by name. Each file stands for itself: one with a mistake changes nothing but the log, and what
 * was read of it before stays at work.
 */
export class MappingFolder {
  readonly #options: MappingFolderOptions;
  readonly #watch: FolderWatch;
  #mappings: ReadonlyMap<string, Mapping> = new Map();
  #problems: string[] = [];

  constructor(options: MappingFolderOptions) {
    this.#options = options;
    const { directory, notice } = options;
    this.#watch = new FolderWatch({
      directory,
      changed: () => this.reload(),
      lost: (error) =>
        notice('the mappings are not watched; restart after a change', { directory, error: String(error) }),
    });
    this.reload();
  }

  /** Watches the folder until `stop`. */
  start(): void {
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }

  has(name: string): boolean {
    return this.#mappings.has(name);
  }

  /** The normaliser of a wire format that is a mapping. */
  normalizer(format: string): Normalizer | undefined {
    return this.#mappings.get(format.slice(mappedFormat('').length))?.normalizer;
  }

  /** Reads the folder now. */
  reload(): void {
    const { directory, notice } = this.#options;
    const next = new Map<string, Mapping>();
    const problems: string[] = [];
    for (const file of this.#files(problems)) {
      const name = file.slice(0, -SUFFIX.length);
      try {
        next.set(name, readMapping(join(directory, file)));
      } catch (error) {
        if (!(error instanceof MappingError)) throw error;
        problems.push(...error.problems);
        const before = this.#mappings.get(name);
        if (before !== undefined) next.set(name, before);
      }
    }
    this.#mappings = next;
    this.#problems = problems.slice(0, MAX_SHOWN);
    if (problems.length > 0) {
      notice('mappings were refused; what was read of them before stays at work', { problems: this.#problems });
    }
  }

  /** For `/v1/status`. */
  status(): Record<string, unknown> {
    return {
      directory: this.#options.directory,
      watched: this.#watch.isWatching,
      mappings: Object.fromEntries([...this.#mappings].map(([name, { counters }]) => [name, { ...counters }])),
      /** Why what is in the folder is not at work; empty where it is. */
      refused: this.#problems,
    };
  }

  #files(problems: string[]): string[] {
    const { directory } = this.#options;
    try {
      const files = readdirSync(directory).filter((file) => file.endsWith(SUFFIX) && !file.startsWith('.'));
      if (files.length > MAX_MAPPINGS) problems.push(`${directory}: holds more than ${MAX_MAPPINGS} mappings`);
      return files.sort().slice(0, MAX_MAPPINGS);
    } catch (error) {
      problems.push(`${directory}: cannot be read (${codeOf(error)}); set sources.mappingsDir to a folder of mappings`);
      return [];
    }
  }
}

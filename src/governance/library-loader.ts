import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { codeOf, readCheckedYaml } from '../lib/checked-yaml.js';
import { caseLibrarySchema, inventorySchema, profileSchema, type CaseLibrary, type Profile } from '../model/profile.js';
import { DEFAULT_CLASS } from './port.js';
import { ReferenceLibrary } from './reference-library.js';

const MAX_CLASSES = 1_000;
const FIELDS_IN = 'docs/reference-library.md';
const CLASS_NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** A reference library that cannot be used; one line per problem: file, line, field, fix. */
export class LibraryError extends Error {
  override name = 'LibraryError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/**
 * Reads `tools.yaml` and `profiles/*.yaml` of the baselines folder. What is not there is empty: no inventory, no class.
 *
 * @throws LibraryError listing every problem of every file
 */
export function loadLibrary(directory: string): ReferenceLibrary {
  const problems: string[] = [];
  const inventory = readCheckedYaml(join(directory, 'tools.yaml'), {
    schema: inventorySchema,
    fieldsIn: FIELDS_IN,
    problems,
  });
  const profiles = new Map<string, Profile>();
  for (const file of profileFiles(join(directory, 'profiles'), problems)) {
    const profile = readCheckedYaml(file, { schema: profileSchema, fieldsIn: FIELDS_IN, problems });
    const name = basename(file, '.yaml');
    if (!CLASS_NAME.test(name)) problems.push(`${file}: rename it to lower-case letters, digits and dashes`);
    if (profile === undefined) continue;
    if (name === DEFAULT_CLASS && profile.agents.length > 0) {
      problems.push(`${file}: agents: remove them; this class takes every agent that no other profile names`);
    } else if (name !== DEFAULT_CLASS && profile.agents.length === 0) {
      problems.push(`${file}: agents: is missing; list the agents of this class, for example [${name}-*]`);
    }
    profiles.set(name, profile);
  }
  if (problems.length > 0) throw new LibraryError(problems);
  const fallback = profiles.get(DEFAULT_CLASS) ?? profileSchema.parse({});
  profiles.delete(DEFAULT_CLASS);
  return new ReferenceLibrary(inventory?.tools ?? [], profiles, fallback);
}

/** The library of a detector's case: its profile holds for every agent. */
export function libraryOfCase(written: CaseLibrary): ReferenceLibrary {
  const { tools, profile } = caseLibrarySchema.parse(written);
  return new ReferenceLibrary(tools, new Map([['case', { ...profile, agents: ['*'] }]]), profileSchema.parse({}));
}

function profileFiles(directory: string, problems: string[]): string[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    problems.push(`${directory}: cannot be read (${codeOf(error)}); check its permissions`);
    return [];
  }
  for (const name of names) {
    if (name.toLowerCase().endsWith('.yml')) problems.push(`${join(directory, name)}: rename it to end in .yaml`);
  }
  const files = names.filter((name) => name.endsWith('.yaml')).sort();
  if (files.length > MAX_CLASSES) problems.push(`${directory}: holds more than ${MAX_CLASSES} profiles`);
  return files.slice(0, MAX_CLASSES).map((name) => join(directory, name));
}

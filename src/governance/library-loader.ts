import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { LineCounter, isNode, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { explainIssue, issuePath } from '../lib/explain-issue.js';
import { caseLibrarySchema, inventorySchema, profileSchema, type CaseLibrary, type Profile } from '../model/profile.js';
import { DEFAULT_CLASS } from './port.js';
import { ReferenceLibrary } from './reference-library.js';

const MAX_FILE_CHARS = 1024 * 1024;
const MAX_CLASSES = 1_000;
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
  const inventory = readChecked(join(directory, 'tools.yaml'), inventorySchema, problems);
  const profiles = new Map<string, Profile>();
  for (const file of profileFiles(join(directory, 'profiles'), problems)) {
    const profile = readChecked(file, profileSchema, problems);
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

/** @returns undefined where the file is not there, or problems were reported */
function readChecked<T>(file: string, schema: z.ZodType<T>, problems: string[]): T | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') problems.push(`${file}: cannot be read (${codeOf(error)}); check its permissions`);
    return undefined;
  }
  if (text.length > MAX_FILE_CHARS) {
    problems.push(`${file}: longer than ${MAX_FILE_CHARS} characters; split it`);
    return undefined;
  }
  const lines = new LineCounter();
  let document: Document;
  let value: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines });
    const [error] = document.errors;
    if (error !== undefined) {
      problems.push(`${file}:${lines.linePos(error.pos[0]).line}: not valid YAML: ${firstLine(error.message)}`);
      return undefined;
    }
    value = document.toJS({ maxAliasCount: 50 }) ?? {};
  } catch (error) {
    // The parser recurses: absurdly deep nesting ends it.
    problems.push(`${file}: not usable YAML: ${firstLine(String(error))}`);
    return undefined;
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const path = issuePath(issue);
    const what =
      issue.code === 'unrecognized_keys'
        ? 'is no field here; remove it, or see docs/reference-library.md for the fields there are'
        : explainIssue(issue, value);
    problems.push(`${file}:${lineOf(document, lines, issue)}: ${path === '' ? '(whole file)' : path}: ${what}`);
  }
  return undefined;
}

/** The line of the field, or of the nearest thing around it that exists. */
function lineOf(document: Document, lines: LineCounter, issue: z.core.$ZodIssue): number {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const path = [...issue.path, ...unknown];
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

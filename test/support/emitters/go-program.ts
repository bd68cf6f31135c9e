import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../recorded.js';

const run = promisify(execFile);
/** A first build compiles some hundred packages on a busy machine. */
const BUILD_MS = 15 * 60_000;

export interface GoProgram {
  name: string;
  version: string;
  /** Modules that are needed, each with its version. */
  modules: readonly string[];
  /** The package to build, where it is one of a module. */
  package?: string;
  /** A `main.go` to build instead, absolute. */
  main?: string;
  tags?: string;
}

/**
 * A program built from its Go modules, once: it stays in `.cache/go/`.
 *
 * @returns its path; undefined, with a message, where there is no Go to build it with
 */
export async function goProgram(what: GoProgram): Promise<string | undefined> {
  const { name, version, modules, main, tags = '' } = what;
  const directory = join(repositoryRoot, '.cache', 'go', `${name}@${version}`);
  const program = join(directory, name);
  if (existsSync(program)) return program;
  const path = `${process.env['PATH'] ?? ''}${delimiter}/usr/local/go/bin`;
  const go = async (...args: string[]) => {
    await run('go', args, { cwd: directory, env: { ...process.env, PATH: path }, timeout: BUILD_MS });
  };
  mkdirSync(directory, { recursive: true });
  try {
    await go('version');
  } catch {
    process.stderr.write(`no Go here: the tests with the real ${name} are skipped\n`);
    return undefined;
  }
  writeFileSync(join(directory, 'go.mod'), `module build\n`);
  if (main !== undefined) copyFileSync(main, join(directory, 'main.go'));
  try {
    await go('get', ...modules);
    if (main !== undefined) await go('mod', 'tidy');
    await go('build', '-tags', tags, '-ldflags', '-s -w', '-o', `${name}.new`, what.package ?? '.');
  } catch (error) {
    process.stderr.write(`${name} cannot be built, its tests are skipped: ${String(error).slice(0, 500)}\n`);
    return undefined;
  }
  // Whole or not at all, also where two tests build it at once.
  renameSync(join(directory, `${name}.new`), program);
  return program;
}

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of this package, found by its `package.json`: the same from the sources and from `dist/`.
 *
 * @throws Error when no `package.json` lies above this file
 */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no package.json above this file; the package is not complete');
    folder = parent;
  }
  return folder;
}

/** Absolute path of a folder of content: a relative one lies in this package. */
export function contentPath(directory: string): string {
  return resolve(packageRoot(), directory);
}

/** The version of this package. */
export function packageVersion(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}

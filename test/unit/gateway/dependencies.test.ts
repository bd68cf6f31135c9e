import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryRoot } from '../../support/recorded.js';

const DIST = join(repositoryRoot, 'dist', 'src');
/** Static and dynamic imports, as the compiler writes them. */
const IMPORT = /^(?:import|export)\s(?:[^'";]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm;

/** Everything that a program loads with the kit: files of ours, and packages. */
function loadedBy(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const [, named, dynamic] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      const target = named ?? dynamic ?? '';
      if (target.startsWith('.')) open.push(resolve(dirname(file), target));
      else packages.add(target);
    }
  }
  return { files, packages };
}

it('the kit needs no package but jose, as it is published', () => {
  const manifest = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    exports: Record<string, string>;
  };
  const entry = join(repositoryRoot, manifest.exports['./gateway'] ?? '');
  expect(existsSync(entry), `${entry} is not built; run "npm run build" first`).toBe(true);
  const { files, packages } = loadedBy(entry);
  const names = [...files].map((file) => relative(DIST, file));
  expect(names).toContain('gateway/message-verifier.js');
  expect(names.filter((name) => !/^(gateway|model|lib)\//.test(name))).toEqual([]);
  expect([...packages].filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))).toEqual(['jose']);
});

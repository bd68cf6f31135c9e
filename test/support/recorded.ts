import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root, from sources and from compiled code alike. */
export const repositoryRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Folder of the recorded agent sessions (`PARALLAX_DATA`, or beside the repository), or undefined when absent. */
export const recordedData = [process.env['PARALLAX_DATA'], join(repositoryRoot, '..', 'shared', 'data', 'agents')].find(
  (dir) => dir !== undefined && existsSync(join(dir, 'agentdojo', 'train.jsonl.gz')),
);

/** Says why tests over recorded sessions do not run. */
export const recordedDataMissing =
  'recorded sessions are not here: set PARALLAX_DATA to the folder that holds agentdojo/, agentdyn/, taubench/';

function findRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : findRoot(dirname(from));
}

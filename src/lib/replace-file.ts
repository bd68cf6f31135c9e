import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a file that only the owner may read, wholly or not at all, and returns when it is durable.
 *
 * @throws whatever the file system says
 */
export function replaceFile(path: string, text: string): void {
  const fresh = `${path}.new`;
  writeFileSync(fresh, text, { mode: 0o600, flush: true });
  renameSync(fresh, path);
  const folder = openSync(dirname(path), 'r');
  try {
    // Without this the old name may come back after a power cut.
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

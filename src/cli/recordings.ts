import { existsSync } from 'node:fs';

/**
 * Files that lie beside recordings under the same name with another ending, where they are there:
 * `a.jsonl.gz` -> `a.labels.json`.
 */
export function filesBeside(recordings: readonly string[], ending: string): string[] {
  return recordings
    .map((file) => file.replace(/\.jsonl(\.gz)?$/, ending))
    .filter((file, i) => file !== recordings[i] && existsSync(file));
}

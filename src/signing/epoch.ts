import { existsSync, readFileSync } from 'node:fs';
import { replaceFile } from '../lib/replace-file.js';
import type { Epochs } from './port.js';

/**
 * Begins a new epoch: counters start anew in it, so no two runs may share one. It is on disk before it is used.
 *
 * Later than every earlier one by the file, and by the clock where the file is lost or comes from an old copy: a data
 * directory that was restored, or copied to a second observer, does not repeat what gateways have already seen. Of two
 * observers that run by mistake, gateways hear the one that started last.
 *
 * @param nowMs epoch ms
 */
export function beginEpoch(file: string, nowMs: number): number {
  const stored = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  const epoch = Math.max(Number.isSafeInteger(stored) ? stored + 1 : 0, nowMs);
  replaceFile(file, `${epoch}\n`);
  return epoch;
}

/**
 * One epoch for all of a run, as where one process speaks for the install.
 *
 * @param startedAt place in the outbox at which the run began: whoever was last told something before it was so in an
 *   earlier epoch
 */
export function oneEpoch(epoch: number, startedAt: number): Epochs {
  return { of: () => epoch, mayResume: (after) => after > startedAt, newest: epoch };
}

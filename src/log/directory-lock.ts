import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LOCK_NAME = /^owner-(\d{1,10})-(\d{1,20})\.lock$/;

/** Another process works in the directory, and two writers would damage each other's view of it. */
export class DirectoryHeldError extends Error {
  readonly code = 'DIRECTORY_HELD';
  readonly pid: number;

  /** @param lockFile the file that says so, where there is one */
  constructor(directory: string, pid: number, lockFile?: string) {
    const who = pid === process.pid ? 'this process already' : `process ${pid}`;
    const hint = lockFile === undefined ? '' : ` Only if that process is certainly something else, delete ${lockFile}.`;
    super(`${directory} is held by ${who}. Stop it, or choose another directory.${hint}`);
    this.name = 'DirectoryHeldError';
    this.pid = pid;
  }
}

export interface DirectoryLock {
  /** Gives the directory up. Safe to call twice. */
  release(): void;
}

/**
 * Takes a directory for this process.
 *
 * Each process announces itself under a name of its own (process id and start time) and then looks for others: of two
 * that come at the same moment both may give up, but never do both go on. A file left by a killed process names a
 * process that is gone, or whose number was given to a younger one, so it can be removed without a race: nobody else
 * ever uses that name.
 *
 * @throws DirectoryHeldError when a living process holds it
 */
export function acquireDirectoryLock(directory: string): DirectoryLock {
  const ownName = `owner-${process.pid}-${startTime(process.pid) ?? '0'}.lock`;
  const ownPath = join(directory, ownName);
  try {
    writeFileSync(ownPath, `${process.pid}\n`, { flag: 'wx' });
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw new DirectoryHeldError(directory, process.pid, ownPath);
    throw error;
  }
  for (const name of readdirSync(directory)) {
    const match = LOCK_NAME.exec(name);
    if (match === null || name === ownName) continue;
    const pid = Number(match[1]);
    if (isAlive(pid, match[2] ?? '')) {
      rmSync(ownPath, { force: true });
      throw new DirectoryHeldError(directory, pid, join(directory, name));
    }
    rmSync(join(directory, name), { force: true });
  }
  return { release: () => rmSync(ownPath, { force: true }) };
}

/** Whether the process that wrote a lock file still lives: the number alone is not enough, numbers are used again. */
function isAlive(pid: number, startedAt: string): boolean {
  const now = startTime(pid);
  if (now !== undefined) return now === startedAt;
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

/**
 * Start time of a living process in clock ticks since boot, as text (proc(5), field 22 of `stat`); undefined when there
 * is no such process, it is a zombie, or the system has no /proc.
 */
function startTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The command's name may hold blanks and brackets: count fields from after the last bracket, which ends field 2.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

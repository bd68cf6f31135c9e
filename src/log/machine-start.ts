import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Says that the files are being written without waiting for the disk, and since which start of the machine. */
const MARK = 'unflushed';
const DATA = 'data.mdb';
const LOCKS = 'lock.mdb';

/** What data that nothing waits for the disk with needs: it must not be trusted after the machine went down. */
export interface MachineStartMark {
  /** The data were thrown away, because the machine went down while they were written. */
  wasDiscarded: boolean;
  /** Flushes the data, which are closed by now, and says that they may be trusted from now on. */
  clear(): void;
}

/**
 * Marks a directory as being written without flushing. The pages outlive the end of this process, but not of the
 * machine: what a run of an earlier start of the machine has left without having closed it is thrown away.
 */
export function markMachineStart(directory: string): MachineStartMark {
  const mark = join(directory, MARK);
  const now = machineStart();
  const wasDiscarded = existsSync(mark) && readFileSync(mark, 'utf8') !== now;
  if (wasDiscarded) for (const name of [DATA, LOCKS]) rmSync(join(directory, name), { force: true });
  writeFileSync(mark, now, { mode: 0o600, flush: true });
  return {
    wasDiscarded,
    clear: () => {
      const descriptor = openSync(join(directory, DATA), 'r+');
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      rmSync(mark);
    },
  };
}

/** Differs from one start of the machine to the next; where the system does not tell, every time. */
function machineStart(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}

import { readdirSync, readFileSync } from 'node:fs';

const CLOCK_TICKS_PER_SECOND = 100;

/** CPU of another process so far, ms, its first thread's alone, and resident bytes; from /proc (Linux only). */
export function processUsage(pid: number): { cpuMs: number; mainThreadMs: number; residentBytes: number } {
  const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    cpuMs: cpuMsOf(`/proc/${pid}/stat`),
    mainThreadMs: cpuMsOf(`/proc/${pid}/task/${pid}/stat`),
    residentBytes: Number(resident) * 1024,
  };
}

function cpuMsOf(file: string): number {
  const stat = readFileSync(file, 'utf8');
  // The command's name is in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / CLOCK_TICKS_PER_SECOND;
}

/** Children of a process that run now. */
export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** A process and all that descend from it, now. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

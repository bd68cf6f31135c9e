import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The garbage collector, as a function; without a flag on the command line of whatever runs the tests. */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc !== 'function') throw new Error('this Node gives no garbage collector');
  return () => void gc();
}

/**
 * Bytes that are still reachable: heap and array buffers after collections with a turn of the event loop between
 * them, because buffers and what finalizers hold go one collection after what refers to them.
 */
export async function retainedBytes(): Promise<number> {
  const collect = garbageCollector();
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

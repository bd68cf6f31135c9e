import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceProcess, type ServiceSetup } from '../../test/support/service-process.js';
import { temporaryDirectory } from '../../test/support/temporary-directory.js';
import { until } from './cluster-side.js';
import { isSettled, isShared, nodeStatus, prepareNode, type WorkersOptions } from './cluster-workers.js';

/** One way of taking partitions over. */
export interface Takeover {
  what: string;
  partitions: number;
  /** From `from` until all partitions are scored again, ms. */
  tookMs: number;
  from: string;
  /** Entries and bytes of the state topic that were read for them; by a standby nearly all of them before. */
  entries: number;
  bytes: number;
}

/** What a standby needs to have followed everything; it does not say so by itself. */
const FOLLOW_MS = 10_000;
const LISTENING = 'its listening';
const SIGNAL = 'the signal';

/**
 * How long it takes until somebody else scores a partition. The prefix's topics hold input that nobody has scored yet.
 *
 * @param options with the number of partitions and the session timeout; the number of workers does not matter
 */
export async function takeovers(options: WorkersOptions): Promise<Takeover[]> {
  const root = temporaryDirectory();
  const running = new Set<ServiceProcess>();
  const { partitions } = options;
  let keys: ServiceSetup['keys'] | undefined;
  const prepare = async (name: string, standby: boolean): Promise<ServiceSetup> => {
    const setup = await prepareNode(join(root.path, name), name, { ...options, standby }, keys);
    keys ??= setup.keys;
    return setup;
  };
  const start = async (setup: ServiceSetup): Promise<ServiceProcess> => {
    const node = await ServiceProcess.start(setup);
    running.add(node);
    return node;
  };
  const end = async (node: ServiceProcess, how: 'stop' | 'kill'): Promise<void> => {
    running.delete(node);
    await node[how]();
  };
  const settled = (nodes: ServiceProcess[]) =>
    until(async () => (await isShared(nodes, partitions)) && (await isSettled(nodes, options)), 200);
  const taken = async (
    node: ServiceProcess,
    of: Pick<Takeover, 'what' | 'from'>,
    since: number,
    before: readonly string[] = [],
  ): Promise<Takeover> => {
    await until(() => isShared([node], partitions), 20);
    const tookMs = performance.now() - since;
    const owned = Object.entries((await nodeStatus(node)).cluster?.owned ?? {});
    const added = owned.filter(([partition]) => !before.includes(partition)).map(([, { restored }]) => restored);
    const sum = (name: 'entries' | 'bytes') => added.reduce((total, restored) => total + (restored?.[name] ?? 0), 0);
    return { ...of, partitions: added.length, tookMs, entries: sum('entries'), bytes: sum('bytes') };
  };
  const results: Takeover[] = [];
  try {
    const first = await start(await prepare('first', false));
    await settled([first]);
    await end(first, 'stop');
    const setup = await prepare('second', false);
    let node = await start(setup);
    results.push(await taken(node, { what: 'new machine: cold', from: LISTENING }, performance.now()));
    await settled([node]);
    await end(node, 'stop');
    node = await start(setup);
    results.push(await taken(node, { what: 'same machine: warm', from: LISTENING }, performance.now()));
    for (const [standby, how] of [
      [false, 'stop'],
      [true, 'stop'],
      [true, 'kill'],
    ] as const) {
      const other = await start(await prepare(`other-${String(standby)}-${how}`, standby));
      await settled([node, other]);
      if (standby) await sleep(FOLLOW_MS);
      const name = standby ? 'standby' : 'cold';
      const what =
        how === 'stop' ? `the other leaves: ${name}` : `the other is killed: ${name}, session timeout included`;
      const before = Object.keys((await nodeStatus(other)).partitions ?? {});
      const since = performance.now();
      const ended = end(node, how);
      results.push(await taken(other, { what, from: SIGNAL }, since, before));
      await ended;
      node = other;
    }
    return results;
  } finally {
    await Promise.all([...running].map((node) => node.kill()));
    root.remove();
  }
}

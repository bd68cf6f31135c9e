import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from './kafka/broker.js';
import type { TestCluster, TestNode } from './cluster.js';
import { Sender, type Lanes } from './cluster-traffic.js';

export interface FaultWorld {
  cluster: TestCluster;
  brokers: readonly Broker[];
  /** How long a frozen worker stands still, ms: beyond the session timeout. */
  frozenMs: number;
}

export interface Fault {
  name: string;
  /**
   * Resolves when all partitions are scored again, whoever does.
   *
   * @returns after how long others scored what the one that was hit had, ms
   */
  happen: (world: FaultWorld) => Promise<number | void>;
}

/** What one fault was like, while observations were sent. */
export interface FaultRecord {
  name: string;
  /** From the beginning until all partitions were scored by somebody, everybody that was to come back included. */
  tookMs: number;
  /** Until the others scored everything, ms; where one was hit that had partitions. */
  takenOverMs?: number;
  sentBefore: number;
  sentAfter: number;
}

const nodeAt = ({ nodes }: TestCluster, index: number): TestNode => {
  const node = nodes[index % nodes.length];
  if (node === undefined) throw new Error('no node');
  return node;
};

/** kill -9: the partitions go to the others, and it comes back on what it has left. */
export const killed = (index: number): Fault => ({
  name: `worker ${index} killed with -9, and started again`,
  happen: async ({ cluster }) => {
    const node = nodeAt(cluster, index);
    const at = performance.now();
    await node.service.kill();
    await cluster.assigned(cluster.nodes.filter((other) => other !== node));
    const takenOverMs = performance.now() - at;
    await cluster.restart(node);
    await cluster.assigned();
    return takenOverMs;
  },
});

/** A zombie: it stands still past the session timeout, and goes on in the belief that nothing happened. */
export const frozen = (index: number): Fault => ({
  name: `worker ${index} stopped past the session timeout, and continued`,
  happen: async ({ cluster, frozenMs }) => {
    const node = nodeAt(cluster, index);
    const at = performance.now();
    process.kill(node.service.pid, 'SIGSTOP');
    let takenOverMs = 0;
    try {
      await cluster.assigned(cluster.nodes.filter((other) => other !== node));
      takenOverMs = performance.now() - at;
      await sleep(Math.max(0, frozenMs - takenOverMs));
    } finally {
      process.kill(node.service.pid, 'SIGCONT');
    }
    await cluster.assigned();
    return takenOverMs;
  },
});

export const added: Fault = {
  name: 'a worker added',
  happen: async ({ cluster }) => {
    await cluster.add();
    await cluster.assigned();
  },
};

export const removed = (index: number): Fault => ({
  name: `worker ${index} removed`,
  happen: async ({ cluster }) => {
    await cluster.remove(nodeAt(cluster, index));
    await cluster.assigned();
  },
});

export const brokerKilled = (index: number): Fault => ({
  name: `broker ${index} killed with -9, and started again`,
  happen: async ({ cluster, brokers }) => {
    const broker = brokers[index % brokers.length];
    if (broker === undefined) throw new Error('no broker');
    await broker.kill();
    await broker.start();
    await broker.waitUntilUp();
    await cluster.assigned();
  },
});

export const brokerRestarted = (index: number): Fault => ({
  name: `broker ${index} restarted`,
  happen: async ({ cluster, brokers }) => {
    await brokers[index % brokers.length]?.restart();
    await cluster.assigned();
  },
});

/** Teaches the cluster what is normal, and calibrates it. */
export async function train(cluster: TestCluster, lanes: Lanes): Promise<void> {
  const { service } = nodeAt(cluster, 0);
  await service.post('/v1/learning', { mode: 'vouched' });
  await new Sender(cluster, lanes).run();
  await cluster.settled();
  await service.post('/v1/calibrate', {});
  await service.post('/v1/learning', { mode: 'frozen' });
  await cluster.settled();
}

/**
 * Sends what is watched while faults happen one after the other; during each of them its share is sent, and what it
 * could not send goes out behind it.
 */
export async function sendThrough(
  world: FaultWorld,
  lanes: Lanes,
  faults: readonly Fault[],
): Promise<{ faults: FaultRecord[]; failures: Record<string, number>; tookMs: number }> {
  const { cluster } = world;
  const startedAt = performance.now();
  const sender = new Sender(cluster, lanes);
  const records: FaultRecord[] = [];
  const over = new AbortController();
  sender.allow(0);
  const causing = (async () => {
    for (const [i, { name, happen }] of faults.entries()) {
      const sentBefore = sender.sent;
      const at = performance.now();
      sender.allow((i + 1) / (faults.length + 1));
      // So that there is something on its way when it happens.
      while (!over.signal.aborted && sender.sent < sentBefore + 50) await sleep(5);
      const takenOverMs = await happen(world);
      const tookMs = Math.round(performance.now() - at);
      const taken = typeof takenOverMs === 'number' ? { takenOverMs: Math.round(takenOverMs) } : {};
      records.push({ name, tookMs, ...taken, sentBefore, sentAfter: sender.sent });
    }
    sender.allow(1);
  })();
  const pauseMs = () => (records.length < faults.length ? 20 : 0);
  const sending = sender.run(pauseMs).finally(() => over.abort());
  await Promise.all([causing, sending]);
  return { faults: records, failures: sender.failures, tookMs: Math.round(performance.now() - startedAt) };
}

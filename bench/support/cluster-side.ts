import { setTimeout as sleep } from 'node:timers/promises';
import { processUsage, treeOf } from './process-usage.js';

/** One of those that read the topic: our workers, or the peer. */
export interface Side {
  /** Its processes, without their children. */
  pids: number[];
  /** Observations it has dealt with since it started. */
  done(): Promise<number>;
  /** Whether nothing is left of the input, and all that follows from it is where it is kept. */
  isThrough(): Promise<boolean>;
  close(): Promise<void>;
}

/** What a part of the input cost one side. CPU in us an observation. */
export interface SideCost {
  events: number;
  /** Until all of it was dealt with. */
  eventsPerSecond: number;
  /** All its processes, but for the next ones. */
  ownUs: number;
  /** ClickHouse children, of those who have them. */
  storeUs: number;
  brokerUs: number;
  /** Own and store. */
  totalUs: number;
  residentBytes: number;
}

export interface SideMeasurement {
  side: Side;
  brokerPid: number;
  events: number;
  /** Puts the part into the topic. The side stands still meanwhile, so that the two do not take CPU from each other. */
  produce: () => Promise<void>;
  /** How often the side is asked, ms. */
  lookMs: number;
}

/** Lets a side work off a part that lies ready for it. */
export async function costOf({ side, brokerPid, events, produce, lookMs }: SideMeasurement): Promise<SideCost> {
  const doneBefore = await side.done();
  await freeze(side);
  try {
    await produce();
  } finally {
    thaw(side);
  }
  const before = usageOf(side, brokerPid);
  const begun = performance.now();
  await until(async () => (await side.done()) - doneBefore >= events, lookMs);
  const tookMs = performance.now() - begun;
  await until(() => side.isThrough(), 100);
  const done = (await side.done()) - doneBefore;
  // Partitions changed hands meanwhile, or Kafka was so slow that records were produced twice: no measurement.
  if (done !== events)
    throw new Error(`${done} observations were dealt with instead of ${events}: is the machine busy?`);
  const after = usageOf(side, brokerPid);
  const us = (name: 'ownMs' | 'storeMs' | 'brokerMs') => (1000 * (after[name] - before[name])) / events;
  const [ownUs, storeUs] = [us('ownMs'), us('storeMs')];
  return {
    events,
    eventsPerSecond: (1000 * events) / tookMs,
    ownUs,
    storeUs,
    brokerUs: us('brokerMs'),
    totalUs: ownUs + storeUs,
    residentBytes: after.residentBytes,
  };
}

/** Waits for something to become true. */
export async function until(isSo: () => Promise<boolean>, lookMs: number, limitMs = 600_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error('waited too long');
    await sleep(lookMs);
  }
}

/** All of its threads stand still when this resolves. */
async function freeze({ pids }: Side): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await sleep(50);
}

function thaw({ pids }: Side): void {
  for (const pid of pids) process.kill(pid, 'SIGCONT');
}

function usageOf({ pids }: Side, brokerPid: number) {
  const own = pids.map((pid) => processUsage(pid));
  const children = pids.flatMap((pid) => treeOf(pid).filter((each) => each !== pid)).map((pid) => processUsage(pid));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    ownMs: sum(own.map(({ cpuMs }) => cpuMs)),
    storeMs: sum(children.map(({ cpuMs }) => cpuMs)),
    brokerMs: processUsage(brokerPid).cpuMs,
    residentBytes: sum([...own, ...children].map(({ residentBytes }) => residentBytes)),
  };
}

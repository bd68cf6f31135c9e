import type { Doors } from './core-doors.js';
import type { ScoringCore } from './core-scoring.js';
import { openCore, type CoreOptions } from './core.js';
import type { Views } from './core-views.js';
import type { DetectorFile } from './detect/detector-file.js';
import type { DetectorSet } from './detect/loader.js';
import type { DiscoveryQuery, DiscoveryReport } from './governance/port.js';
import type { ReferenceLibrary } from './governance/reference-library.js';
import type { Log, ScoringStore } from './log/port.js';
import type { SegmentSummary } from './log/segment.js';
import type { LogRecord } from './model/log-record.js';

/** One partition that this process scores and stores. */
export interface HostedPartition extends Omit<ScoringCore, 'activeSet' | 'stored' | 'start'> {
  partition: number;
  log: Log & { segments(): Iterable<SegmentSummary>; readonly storedBytes: number };
  store: ScoringStore;
}

/** What those follow who tell others of effects: committed entries in order, and a durable place of their own. */
export type EffectsToTell = Pick<
  ScoringStore,
  'get' | 'entries' | 'outbox' | 'outboxHead' | 'waitForOutbox' | 'cursor' | 'setCursor'
>;

/** Ends what was begun. @param isHandedOver another process goes on with it: nothing need be finished here */
export type End = (isHandedOver: boolean) => Promise<void>;

/** What the service stands on, wherever its log lies: in this process alone, or in a cluster. */
export interface Observer extends Doors, Omit<Views, 'apply'> {
  /** Per-install secret, 32 bit: keys every hash that is derived from content. */
  seed: number;
  /** Classes of agents, what is expected of them, and the tools inventory. */
  library: ReferenceLibrary;
  /** Absolute path of the folder with the detectors. */
  detectorsDir: string;
  /** Hash of the detector set that is at work. */
  detectorsHash: () => string;
  /** Keeps the set's text and asks for it in the log: it is at work from that record on. */
  activateDetectors: (set: DetectorSet, files: readonly DetectorFile[]) => Promise<void>;
  /** Partitions that are scored here now, by number. */
  hosted: () => readonly HostedPartition[];
  /** The partition of an agent, if it is scored here. */
  partitionOf: (tenant: string, agentId: string) => HostedPartition | undefined;
  /**
   * Has `begin` called for every partition that is scored here, now or later; what it returns is called before the
   * partition is given up.
   */
  onHosted: (begin: (partition: HostedPartition) => End) => void;
  /**
   * Has `begin` called while this process is the one that tells people and gateways, with what it follows and the
   * place in it at which that began.
   */
  onLeading: (begin: (effects: EffectsToTell, startedAt: number) => End) => void;
  /** Declared against observed, as it is now. */
  discover: (query: DiscoveryQuery) => Promise<DiscoveryReport>;
  /** Appends records that are not observations; resolves when they are committed. */
  record: (...records: LogRecord[]) => Promise<void>;
  /** Writes the time into the log of every hosted partition. */
  tick: () => Promise<void>;
  /** How long the log has not answered, ms; absent where it lies in this process. */
  logUnansweredMs?: () => number;
  /** How the cluster stands, as seen from here; absent where this process is alone. */
  cluster?: () => Record<string, unknown>;
  /** Place in the outbox of commands at which this process began. */
  startedAt: number;
  close: () => Promise<void>;
}

/** The observer of one process, on the embedded log. @throws as openCore */
export function openEmbeddedObserver(options: CoreOptions): Observer & { core: HostedPartition } {
  const core = openCore(options);
  const hosted: HostedPartition = { ...core, partition: 0 };
  const ends: End[] = [];
  return {
    ...core,
    core: hosted,
    seed: core.setup.seed,
    detectorsHash: () => core.detectors.hash,
    hosted: () => [hosted],
    partitionOf: () => hosted,
    onHosted: (begin) => void ends.push(begin(hosted)),
    onLeading: (begin) => void ends.push(begin(core.store, core.commands.sequence)),
    record: async (...records) => void (await core.record(...records)),
    tick: async () => void (await core.record({ type: 'tick', value: { now: options.clock.now() } })),
    startedAt: core.commands.sequence,
    close: async () => {
      for (const end of ends.splice(0).reverse()) await end(false);
      await core.close();
    },
  };
}

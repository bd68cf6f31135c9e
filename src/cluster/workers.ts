import { hostname } from 'node:os';
import type { Config } from '../config.js';
import type { KafkaGroup, ReceivedRecord } from '../kafka/port.js';
import { encodeRecord } from '../log/record-codec.js';
import type { ClusterConfig } from '../model/kafka-settings.js';
import type { EffectsToTell, End, HostedPartition } from '../observer.js';
import { Owners } from './owners.js';
import { PartitionLife, type LifeParts, type LivePartition } from './partition-life.js';
import { PartitionState } from './partition-state.js';
import type { Registry } from './registry.js';

/** How often Kafka is told how far reading has come, for people and tools, ms. */
const COMMIT_MS = 5_000;

export interface WorkersParts extends Omit<LifeParts, 'state' | 'partitions' | 'group' | 'readAgain' | 'opened'> {
  config: Config;
  cluster: ClusterConfig;
  nodeId: string;
  /** Differs from every other run. */
  run: string;
  registry: Registry;
  /** What those follow who tell people and gateways. */
  effects: EffectsToTell;
}

/** The partitions that the group of the workers gives to this node. */
export class Workers {
  readonly #parts: WorkersParts;
  readonly #lives = new Map<number, PartitionLife>();
  /** What this machine has of the partitions that it owns, and as a standby of all. */
  readonly #states = new Map<number, PartitionState>();
  /** Partitions that the group gave to this node, and the generation in which it did. */
  readonly #wanted = new Map<number, number>();
  /** Lives that are ending: their directory is not free yet. */
  readonly #ending = new Map<number, Promise<void>>();
  /** Lives that finish in good order what they have, as long as nobody else owns it. */
  readonly #finishing = new Map<number, PartitionLife>();
  readonly #begins: ((partition: HostedPartition) => End)[] = [];
  readonly #leads: ((effects: EffectsToTell, startedAt: number) => End)[] = [];
  readonly #ends = new Map<number, End[]>();
  readonly #owners: Owners;
  readonly #opening = new Map<number, Promise<PartitionState>>();
  /** What comes now would never be ended. */
  #isStopping = false;
  #group: KafkaGroup | undefined;
  /** Reads the changelogs of all partitions, where this node is a standby of all. */
  #following: KafkaGroup | undefined;
  #committing: NodeJS.Timeout | undefined;

  constructor(parts: WorkersParts) {
    this.#parts = parts;
    const { cluster, config, nodeId, registry } = parts;
    const url = cluster.node.url ?? `http://${hostname()}:${config.http.port}`;
    this.#owners = new Owners(registry, { nodeId, url });
  }

  /** Joins the group. */
  start(): void {
    const { cluster, client, topics, failed } = this.#parts;
    if (cluster.standby) this.#follow();
    this.#group = client.openGroup({
      groupId: cluster.groupId,
      topics: cluster.standby ? [topics.observations] : [topics.observations, topics.state],
      assigner: 'colocated',
      compacted: [topics.state],
      sessionTimeoutMs: cluster.sessionTimeoutMs,
      startOffset: (topic, partition) =>
        topic === topics.state
          ? this.#states.get(partition)?.replica.nextOffset
          : this.#lives.get(partition)?.logOffset(),
      handlers: {
        assigned: async (generation, partitions) => {
          const own = partitions.filter(({ topic }) => topic === topics.observations);
          for (const { partition } of own) this.#wanted.set(partition, generation);
          await Promise.all(own.map(({ partition }) => this.#open(partition, generation)));
        },
        revoked: (partitions) => {
          for (const { topic, partition } of partitions) {
            if (topic !== topics.observations) continue;
            this.#wanted.delete(partition);
            // What it still wanted to write would wait for ever to be the owner's.
            this.#finishing.get(partition)?.giveUp();
            void this.#end(partition, true);
          }
        },
        records: async (topic, partition, { records, highWatermark }) => {
          if (topic === topics.state) await this.#takeState(partition, records, highWatermark);
          else await this.#lives.get(partition)?.takeLog(records);
        },
        poison: async (poison) => {
          if (poison.topic === topics.observations) await this.#lives.get(poison.partition)?.takePoison(poison);
          else
            failed(new Error(`${poison.topic}/${poison.partition}: the scoring state cannot be read: ${poison.cause}`));
        },
        gap: (gap) => {
          if (gap.topic === topics.observations) this.#lives.get(gap.partition)?.takeGap(gap);
        },
        fatal: failed,
      },
    });
    this.#committing = setInterval(() => void this.#commit(), COMMIT_MS);
  }

  hosted(): LivePartition[] {
    return [...this.#lives.values()].flatMap(({ live }) => live ?? []).sort((a, b) => a.partition - b.partition);
  }

  partition(partition: number): LivePartition | undefined {
    return this.#lives.get(partition)?.live;
  }

  /** Where to reach the owner of a partition; undefined where that is this node, or nobody. */
  urlOf(partition: number): string | undefined {
    return this.#lives.has(partition) ? undefined : this.#owners.urlOf(partition);
  }

  onHosted(begin: (partition: HostedPartition) => End): void {
    this.#begins.push(begin);
    for (const live of this.hosted()) this.#keepEnd(live.partition, begin(live));
  }

  onLeading(begin: (effects: EffectsToTell, startedAt: number) => End): void {
    this.#leads.push(begin);
    if (this.partition(LEADERS_PARTITION) !== undefined) this.#lead(begin);
  }

  status(): Record<string, unknown> {
    const group = this.#group;
    return {
      generation: group?.generation ?? 0,
      fenced: group?.isFenced() ?? false,
      owned: Object.fromEntries([...this.#lives].map(([partition, life]) => [partition, life.status()])),
      lag: group?.lag().filter(({ topic }) => topic === this.#parts.topics.observations) ?? [],
      owners: this.#owners.all(),
    };
  }

  /** Finishes what is owned, takes last checkpoints and leaves the group. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#committing);
    await Promise.all([...this.#lives.keys()].map((partition) => this.#end(partition, false)));
    await Promise.all(this.#ending.values());
    await this.#group?.stop();
    await this.#following?.stop();
    await Promise.allSettled(this.#opening.values());
    for (const state of this.#states.values()) await state.close();
  }

  async #open(partition: number, generation: number): Promise<void> {
    await this.#ending.get(partition);
    // It may have gone to others meanwhile, and may be on its way back: then the later call opens it.
    const isWanted = (): boolean => !this.#isStopping && this.#wanted.get(partition) === generation;
    if (!isWanted()) return;
    const state = await this.#stateOf(partition);
    if (!isWanted()) {
      if (!this.#wanted.has(partition) && !this.#lives.has(partition))
        void this.#keepEnding(partition, this.#letGo(partition));
      return;
    }
    const { cluster, failed, notice } = this.#parts;
    const life = new PartitionLife(
      {
        ...this.#parts,
        state,
        readAgain: (which, offset, reason) => this.#readAgain(which, offset, reason),
        partitions: cluster.partitions,
        group: () => {
          if (this.#group === undefined) throw new Error('the group is not open yet');
          return this.#group;
        },
        opened: (live) => this.#opened(live),
        failed: (error) => {
          notice('a partition cannot be scored', { partition, error: String(error) });
          failed(error);
        },
      },
      generation,
    );
    this.#lives.set(partition, life);
    await life.begin();
  }

  /** Follows the changelogs of all partitions, whoever owns them. */
  #follow(): void {
    const { cluster, client, topics, nodeId, run, failed, notice } = this.#parts;
    this.#following = client.openGroup({
      groupId: `${cluster.groupId}-standby-${nodeId}-${run}`,
      topics: [topics.state],
      assigner: 'everything',
      compacted: [topics.state],
      sessionTimeoutMs: cluster.sessionTimeoutMs,
      startOffset: (_topic, partition) => this.#states.get(partition)?.replica.nextOffset,
      handlers: {
        assigned: async (_generation, partitions) => {
          await Promise.all(partitions.map(({ partition }) => this.#stateOf(partition)));
        },
        revoked: () => {},
        records: (_topic, partition, { records, highWatermark }) => this.#takeState(partition, records, highWatermark),
        gap: (gap) => notice('entries of the scoring state are gone before they were followed', { ...gap }),
        poison: (poison) => failed(new Error(`${poison.topic}/${poison.partition}: ${poison.cause}`)),
        fatal: failed,
      },
    });
  }

  async #takeState(partition: number, records: readonly ReceivedRecord[], highWatermark: number): Promise<void> {
    await this.#states.get(partition)?.take(records, highWatermark);
    this.#lives.get(partition)?.advanced();
  }

  #stateOf(partition: number): Promise<PartitionState> {
    const opening = this.#opening.get(partition) ?? this.#openState(partition);
    this.#opening.set(partition, opening);
    return opening;
  }

  async #openState(partition: number): Promise<PartitionState> {
    const { config, cluster, clock } = this.#parts;
    const state = await PartitionState.open({
      partition,
      config,
      partitions: cluster.partitions,
      clock,
      readAgain: (which, offset, reason) => this.#readAgain(which, offset, reason),
    });
    this.#states.set(partition, state);
    return state;
  }

  #readAgain(partition: number, offset: number, reason: string): void {
    const { topics, notice } = this.#parts;
    notice('the scoring state is read on from another place', { partition, offset, reason });
    (this.#following ?? this.#group)?.seek(topics.state, partition, offset);
  }

  /** Another owner's partition is followed by a standby, and let go of by every other node. */
  async #letGo(partition: number): Promise<void> {
    const state = this.#states.get(partition);
    if (this.#following !== undefined) return state?.release();
    this.#states.delete(partition);
    this.#opening.delete(partition);
    await state?.close();
  }

  #opened(live: LivePartition): void {
    const { partition, generation } = live;
    for (const begin of this.#begins) this.#keepEnd(partition, begin(live));
    if (partition === LEADERS_PARTITION) for (const begin of this.#leads) this.#lead(begin);
    this.#owners.announce(partition, generation).catch((error: unknown) => {
      this.#parts.notice('it cannot be announced who scores a partition', { partition, error: String(error) });
    });
    this.#activateFirstDetectors(live).catch((error: unknown) => {
      this.#parts.notice('the detectors cannot be activated', { partition, error: String(error) });
    });
  }

  /**
   * A partition that has no detectors yet gets those of this node's folder. Later ones come by an order alone: else nodes
   * whose folders differ, as while one after the other is upgraded, would take turns.
   */
  async #activateFirstDetectors({ partition, activeSet }: LivePartition): Promise<void> {
    const { shared, detectors, log, clock } = this.#parts;
    if (activeSet !== '' || shared.folder === undefined) return;
    const { set, files } = shared.folder;
    await detectors.share(set, files);
    const value = { time: clock.now(), tenant: '', what: 'detectors' as const, value: set.hash };
    await log.appendTo([partition], encodeRecord({ type: 'activation', value }));
  }

  #lead(begin: (effects: EffectsToTell, startedAt: number) => End): void {
    const { effects } = this.#parts;
    this.#keepEnd(LEADERS_PARTITION, begin(effects, effects.outboxHead));
  }

  #keepEnd(partition: number, end: End): void {
    const ends = this.#ends.get(partition) ?? [];
    this.#ends.set(partition, ends);
    ends.push(end);
  }

  #end(partition: number, isHandedOver: boolean): Promise<void> {
    const life = this.#lives.get(partition);
    if (life === undefined) return Promise.resolve();
    this.#lives.delete(partition);
    const ends = this.#ends.get(partition) ?? [];
    this.#ends.delete(partition);
    const end = async (): Promise<void> => {
      if (isHandedOver) life.giveUp();
      else this.#finishing.set(partition, life);
      for (const one of ends.reverse()) await one(isHandedOver);
      await life.end(isHandedOver);
      this.#finishing.delete(partition);
      await this.#letGo(partition);
    };
    return this.#keepEnding(partition, end());
  }

  /** Until it is over, the partition is not opened again. */
  #keepEnding(partition: number, end: Promise<void>): Promise<void> {
    const ending: Promise<void> = end
      .catch((error: unknown) => {
        this.#parts.notice('a partition was not closed cleanly', { partition, error: String(error) });
      })
      .finally(() => {
        if (this.#ending.get(partition) === ending) this.#ending.delete(partition);
      });
    this.#ending.set(partition, ending);
    return ending;
  }

  async #commit(): Promise<void> {
    const group = this.#group;
    if (group === undefined || group.isFenced()) return;
    const { observations } = this.#parts.topics;
    const offsets = this.hosted()
      .filter(({ partition }) => group.owns(observations, partition))
      .map(({ partition, store }) => ({ topic: observations, partition, offset: store.nextPosition - 1 }));
    await group.commit(offsets, group.generation).catch(() => {
      // Only a hint for people and tools; the next one comes soon.
    });
  }
}

/** Whoever scores this partition tells people and gateways. */
const LEADERS_PARTITION = 0;

import { STATE_FORMAT, packBytes } from '../baseline/packed-state.js';
import { fetchState } from '../baseline/restorer.js';
import { StateSeal } from '../baseline/state-seal.js';
import type { Config } from '../config.js';
import type { HostedPartition, Observer } from '../observer.js';
import type { Clock } from '../lib/clock.js';
import type {
  ArchivedVersion,
  BaselineVersion,
  KeptVersion,
  Ordered,
  RebuildOrder,
  RebuildStatus,
  RestoreOrder,
} from '../model/baseline.js';
import { makeArchiveRoom } from '../store/archive-room.js';
import type { ArchiveStatus } from '../store/port.js';
import { StateArchiver, type StateSource } from '../store/state-archiver.js';
import type { Store } from '../store/store.js';
import { Rebuilds, STORE_AWAY } from './rebuilds.js';

/** Records that scoring may be behind and still has time for others. */
const IDLE_BACKLOG = 1_000;
/** Features of one version; there are fewer. */
const MAX_FEATURES = 100;
/** Archived versions that are listed. */
const MAX_LISTED = 64;
const MAX_INCIDENTS = 10_000;

export interface BaselineDeskOptions {
  /** Whose baselines it is about. */
  hosted: Pick<HostedPartition, 'partition' | 'log' | 'store' | 'scoring' | 'baselines' | 'join' | 'setup'>;
  observer: Pick<Observer, 'incidents' | 'library' | 'record'>;
  config: Pick<Config, 'join' | 'clickhouse'>;
  /** Undefined while ClickHouse is not open. */
  store: () => Store | undefined;
  clock: Clock;
  notice: (message: string, facts: Record<string, unknown>) => void;
}

/** What people see of baselines and order about them, between scoring and ClickHouse. */
export class BaselineDesk {
  readonly #options: BaselineDeskOptions;
  /** Made when it is first needed: it takes a good part of a second of another thread. */
  #seal: Promise<StateSeal> | undefined;
  readonly #archiver: StateArchiver;
  readonly #rebuilds: Rebuilds;

  constructor(options: BaselineDeskOptions) {
    this.#options = options;
    const { hosted, observer, config, store, clock } = options;
    const { maxBytes } = { maxBytes: config.clickhouse.baselineBytes };
    this.#archiver = new StateArchiver({
      source: this.#source(),
      target: () => {
        const writer = store()?.writer;
        return writer && { inserter: writer, makeRoom: () => makeArchiveRoom(writer, maxBytes) };
      },
      cursors: hosted.store,
      isIdle: () => hosted.log.head - hosted.scoring.effectsPosition < IDLE_BACKLOG,
      clock,
    });
    this.#rebuilds = new Rebuilds({
      queries: () => store()?.queries,
      setup: hosted.setup,
      join: { ...config.join, seed: hosted.setup.seed },
      watermark: (tenant) => hosted.join.watermark(tenant),
      incidents: (tenant) => observer.incidents.list({ tenant, limit: MAX_INCIDENTS }),
      classOf: (agentId) => observer.library.classOf(agentId),
      activate: (value) => observer.record({ type: 'activation', value }),
      clock,
    });
  }

  /** Begins to archive versions. */
  start(): void {
    this.#archiver.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#archiver.stop(), this.#rebuilds.stop()]);
  }

  /** Archives all that is kept now. @throws StoreError, or an Error that says why not */
  catchUp(): Promise<void> {
    return this.#archiver.catchUp();
  }

  archiveStatus(): ArchiveStatus {
    return this.#archiver.status();
  }

  /** Features of one version, or the newest of each feature; undefined while the store does not answer. */
  features(filter: { tenant: string; agentId: string; version?: number }): Promise<BaselineVersion[] | undefined> {
    return this.#ask((store) => store.queries.baselineVersions({ ...filter, limit: MAX_FEATURES }));
  }

  kept(tenant: string, agentId: string): KeptVersion[] {
    return this.#options.hosted.baselines.published.kept(tenant, agentId);
  }

  /** Versions that lie whole in ClickHouse, latest first; undefined while it does not answer. */
  archived(tenant: string, agentId: string): Promise<ArchivedVersion[] | undefined> {
    return this.#ask((store) => store.queries.archive.versions({ tenant, agentId, limit: MAX_LISTED }));
  }

  /** Has scoring adopt an archived version. Resolves when the log has committed the order, or it was refused. */
  async restore({ by, reason, ...wanted }: RestoreOrder): Promise<Ordered> {
    const found = await this.#ask(async (store) => fetchState(store.queries.archive, await this.#sealOf(), wanted));
    if (found === undefined) return STORE_AWAY;
    if (!found.ok) return found;
    const { tenant, agentId, version } = wanted;
    const { ok: _, ...carried } = found;
    const { observer, clock } = this.#options;
    const about = { time: clock.now(), tenant, agentId, by, reason };
    await observer.record({
      type: 'activation',
      value: { ...about, what: 'restore', value: String(version), ...carried },
    });
    return { ok: true, recorded: true };
  }

  /** Begins to make an agent's baseline anew. */
  rebuild(order: RebuildOrder): Ordered {
    return this.#rebuilds.start(order);
  }

  rebuildStatus(tenant: string, agentId: string): RebuildStatus | undefined {
    return this.#rebuilds.status(tenant, agentId);
  }

  async #ask<T>(question: (store: Store) => Promise<T>): Promise<T | undefined> {
    const store = this.#options.store();
    if (store === undefined) return undefined;
    try {
      return await question(store);
    } catch (error) {
      this.#options.notice('versions of a baseline could not be read', { error: String(error) });
      return undefined;
    }
  }

  #sealOf(): Promise<StateSeal> {
    this.#seal ??= StateSeal.of(this.#options.hosted.setup.seed);
    return this.#seal;
  }

  #source(): StateSource {
    const { published } = this.#options.hosted.baselines;
    return {
      get next() {
        return published.nextSerial;
      },
      from: (serial) => published.keptFrom(serial),
      pack: async (version) => {
        const bytes = published.keptBytes(version);
        if (bytes === undefined) return undefined;
        const [seal, state] = await Promise.all([this.#sealOf(), packBytes(bytes)]);
        return { state, seal: seal.seal(version, state), seedPrint: seal.print, format: STATE_FORMAT };
      },
    };
  }
}

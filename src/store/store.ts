import { join } from 'node:path';
import { systemClock, type Clock } from '../lib/clock.js';
import type { ClickHouseCluster, TlsFiles } from '../model/clickhouse-settings.js';
import { storeAgentClasses, type AgentClassRow } from './agent-classes.js';
import { StoreClient, type StoreConnection } from './client.js';
import { EmbeddedClickHouse, type EmbeddedState } from './embedded/supervisor.js';
import type { EmbeddedLimits } from './embedded/limits.js';
import { migrate } from './migrate.js';
import type { StoreQueries } from './port.js';
import { ClickHouseQueries } from './queries.js';
import { applyRetention, type Retention } from './retention.js';

export interface StoreOptions extends Retention {
  /** `embedded`, or the URL of a ClickHouse server. */
  url: string;
  database: string;
  /** For a server only; the embedded engine makes its own. */
  username: string;
  password: string;
  tls?: TlsFiles;
  cluster?: ClickHouseCluster;
  /** The embedded engine keeps its data in `<dataDir>/clickhouse`. */
  dataDir: string;
  /** Classes of agents, for dashboards; those written before stay where it is absent. */
  agentClasses?: readonly AgentClassRow[];
  limits?: Partial<EmbeddedLimits>;
  clock?: Clock;
  onNotice?: (level: 'info' | 'warn', message: string) => void;
}

/** An open ClickHouse with the schema of this program. */
export interface Store {
  /** Writes; for the storing reader. */
  readonly writer: StoreClient;
  readonly queries: StoreQueries;
  /** For Grafana and people: the user that can only read. Of a server, the user configured. */
  readonly readerConnection: StoreConnection;
  /** Absent for a server. */
  embedded(): EmbeddedState | undefined;
  close(): Promise<void>;
}

/**
 * Starts the embedded engine where there is no server, brings the schema up to date and opens both users.
 *
 * @throws MigrationError, StoreError, or an Error with the engine's own words when it cannot start
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const embedded =
    options.url === 'embedded'
      ? await EmbeddedClickHouse.start({
          dataDir: join(options.dataDir, 'clickhouse'),
          database: options.database,
          ...(options.limits === undefined ? {} : { limits: options.limits }),
          ...(options.clock === undefined ? {} : { clock: options.clock }),
          ...(options.onNotice === undefined ? {} : { onNotice: options.onNotice }),
        })
      : undefined;
  const url = embedded?.url ?? options.url;
  const user = { username: options.username, password: options.password };
  const { database, tls, cluster } = options;
  const place = { url, database, tls, cluster, isServer: embedded === undefined };
  const writerConnection: StoreConnection = { ...place, ...(embedded?.writer ?? user) };
  const readerConnection: StoreConnection = { ...place, ...(embedded?.reader ?? user) };
  const writer = new StoreClient(writerConnection);
  const reader = new StoreClient(readerConnection);
  const close = async (): Promise<void> => {
    await reader.close();
    await writer.close();
    await embedded?.stop();
  };
  try {
    await migrate(writerConnection);
    await applyRetention(writer, options);
    const { agentClasses, clock = systemClock } = options;
    if (agentClasses !== undefined) await storeAgentClasses(writer, agentClasses, clock.now());
  } catch (error) {
    await close();
    throw error;
  }
  return {
    writer,
    queries: new ClickHouseQueries(reader),
    readerConnection,
    embedded: () => embedded?.state(),
    close,
  };
}

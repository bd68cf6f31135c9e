import { dirname, join, resolve } from 'node:path';
import { identifier, StoreClient } from '../client.js';
import { EmbeddedClickHouse } from './supervisor.js';

export interface EmbeddedBackup {
  /** Data directory of the service, which does not run. */
  dataDir: string;
  database: string;
  /** Folder of the backup. */
  directory: string;
}

/** However much there is to copy. */
const DAY_SECONDS = 24 * 60 * 60;

/** Writes all tables of the database, views too, into a new folder. @throws StoreError, or what keeps the engine from starting */
export async function backupEmbedded(backup: EmbeddedBackup): Promise<void> {
  await withEngine(backup, (client, file) => client.command(`BACKUP DATABASE ${client.database} TO ${file}`));
}

/** Reads them back into an engine without data. */
export async function restoreEmbedded(backup: EmbeddedBackup): Promise<void> {
  await withEngine(backup, (client, file) => client.command(`RESTORE DATABASE ${client.database} FROM ${file}`));
}

async function withEngine(
  { dataDir, database, directory }: EmbeddedBackup,
  work: (client: StoreClient, file: string) => Promise<void>,
): Promise<void> {
  const path = resolve(directory);
  const engine = await EmbeddedClickHouse.start({
    dataDir: join(dataDir, 'clickhouse'),
    database,
    limits: { writerSeconds: DAY_SECONDS },
    engineArguments: [`--backups.allowed_path=${dirname(path)}/`],
  });
  const connection = { url: engine.url, database: identifier(database), ...engine.writer };
  const client = new StoreClient(connection, { requestTimeoutMs: DAY_SECONDS * 1_000 });
  try {
    await work(client, `File('${path.replaceAll(/['\\]/g, String.raw`\$&`)}')`);
  } finally {
    await client.close();
    await engine.stop();
  }
}

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { identifier, StoreClient, type StoreConnection } from './client.js';
import { packageRoot } from '../lib/package-root.js';
import { splitStatements } from './sql-tokens.js';

/** One step of the schema. Applied once, in order, never changed afterwards. */
export interface Migration {
  version: number;
  name: string;
  /** SHA-256 of the file, hex. */
  checksum: string;
  statements: string[];
}

/** The schema cannot be brought to where this program needs it. */
export class MigrationError extends Error {
  override name = 'MigrationError';
}

const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/;

/**
 * Reads all steps from a folder of `NNNN-name.sql` files.
 *
 * @throws MigrationError for a foreign file, or a gap in the numbers
 */
export function readMigrations(folder = join(packageRoot(), 'src/store/migrations')): Migration[] {
  const migrations = readdirSync(folder)
    .sort()
    .map((file): Migration => {
      const match = FILE_NAME.exec(file);
      if (match === null) throw new MigrationError(`${join(folder, file)}: name it NNNN-what-it-does.sql`);
      const text = readFileSync(join(folder, file), 'utf8');
      return {
        version: Number(match[1]),
        name: match[2] ?? '',
        checksum: createHash('sha256').update(text).digest('hex'),
        statements: splitStatements(text),
      };
    });
  migrations.forEach((migration, i) => {
    if (migration.version !== i + 1) {
      throw new MigrationError(`${folder}: version ${i + 1} is missing before ${migration.version}-${migration.name}`);
    }
  });
  return migrations;
}

/**
 * Brings the database to the newest version. Safe to run again, and after a crash in the middle: every statement is
 * written so that it can be repeated, and a step is recorded after its last statement.
 *
 * @returns versions applied now
 * @throws MigrationError when an applied step was changed, or the database is newer than this program
 */
export async function migrate(connection: StoreConnection, migrations = readMigrations()): Promise<number[]> {
  const server = new StoreClient({ ...connection, database: 'default' });
  try {
    await server.command(`CREATE DATABASE IF NOT EXISTS ${identifier(connection.database)}`);
  } finally {
    await server.close();
  }
  const client = new StoreClient(connection);
  try {
    await client.command(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         version UInt32, name String, checksum String, appliedAt DateTime('UTC') DEFAULT now())
       ENGINE = ReplacingMergeTree ORDER BY version
       SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
    );
    return await applyMissing(client, migrations);
  } finally {
    await client.close();
  }
}

async function applyMissing(client: StoreClient, migrations: readonly Migration[]): Promise<number[]> {
  const rows = await client.select<{ version: number; name: string; checksum: string }>(
    'SELECT version, name, checksum FROM schema_migrations FINAL ORDER BY version',
  );
  const newest = migrations.length;
  for (const row of rows) {
    const known = migrations[row.version - 1];
    if (known === undefined) {
      throw new MigrationError(
        `the database is at schema version ${row.version}, this program knows ${newest}; run a newer program`,
      );
    }
    if (known.checksum !== row.checksum) {
      throw new MigrationError(
        `migration ${row.version}-${row.name} was changed after it was applied; restore the file and add a new step`,
      );
    }
  }
  const applied: number[] = [];
  const done = new Set(rows.map((row) => row.version));
  for (const migration of migrations) {
    if (done.has(migration.version)) continue;
    for (const statement of migration.statements) await client.command(statement);
    const { version, name, checksum } = migration;
    await client.insert({
      table: 'schema_migrations',
      body: Buffer.from(`${JSON.stringify({ version, name, checksum })}\n`),
      token: `migration:${version}:${checksum}`,
    });
    applied.push(version);
  }
  return applied;
}

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { clusterForm, everywhereForm, onCluster } from './cluster.js';
import { identifier, StoreClient, StoreError, type StoreConnection } from './client.js';
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
  const client = new StoreClient(connection);
  try {
    const applied = await appliedSteps(client);
    // Whoever has the schema made by somebody else needs no right to make it.
    if (applied !== undefined && missingOf(migrations, applied).length === 0) return [];
    if (applied === undefined) {
      const server = new StoreClient({ ...connection, database: 'default' });
      try {
        for (const statement of databaseStatements(connection)) await server.command(statement);
      } finally {
        await server.close();
      }
      await client.command(journalStatement(connection));
    }
    return await apply(client, missingOf(migrations, applied ?? []));
  } finally {
    await client.close();
  }
}

interface AppliedStep {
  version: number;
  name: string;
  checksum: string;
}

/** Of "there is no such table" and "no such database". */
const NOT_THERE = new Set([60, 81]);

/** @returns undefined where there is no schema yet */
async function appliedSteps(client: StoreClient): Promise<AppliedStep[] | undefined> {
  try {
    return await client.select<AppliedStep>(
      'SELECT version, name, checksum FROM schema_migrations FINAL ORDER BY version',
    );
  } catch (error) {
    if (error instanceof StoreError && NOT_THERE.has(error.code)) return undefined;
    throw error;
  }
}

/**
 * All statements that make the schema, in order, as they are run: for whoever wants to run them by hand.
 *
 * @param target of a cluster, or the database of a single server
 */
export function schemaStatements(
  target: Pick<StoreConnection, 'database' | 'cluster'>,
  migrations = readMigrations(),
): string[] {
  const steps = migrations.flatMap((migration) => [
    ...migration.statements.flatMap((statement) => placed(statement, target)),
    `INSERT INTO ${journalName(target)} (version, name, checksum) VALUES (${migration.version}, '${migration.name}', '${migration.checksum}')`,
  ]);
  return [...databaseStatements(target), journalStatement(target), ...steps];
}

/** Of the table of applied steps; it needs no Distributed one, for every server has it all. */
const JOURNAL = `CREATE TABLE IF NOT EXISTS schema_migrations (
    version UInt32, name String, checksum String, appliedAt DateTime('UTC') DEFAULT now())
  ENGINE = ReplacingMergeTree ORDER BY version
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

function databaseStatements({ database, cluster }: Pick<StoreConnection, 'database' | 'cluster'>): string[] {
  const everywhere = cluster === undefined ? '' : ` ${onCluster(cluster)}`;
  return [`CREATE DATABASE IF NOT EXISTS ${identifier(database)}${everywhere}`];
}

function journalName({ database, cluster }: Pick<StoreConnection, 'database' | 'cluster'>): string {
  return cluster === undefined ? 'schema_migrations' : `${identifier(database)}.schema_migrations`;
}

function journalStatement({ database, cluster }: Pick<StoreConnection, 'database' | 'cluster'>): string {
  return cluster === undefined ? JOURNAL : everywhereForm(JOURNAL, { database, cluster });
}

function placed(statement: string, { database, cluster }: Pick<StoreConnection, 'database' | 'cluster'>): string[] {
  return cluster === undefined ? [statement] : clusterForm(statement, { database, cluster });
}

/** @throws MigrationError where the database cannot be brought to what is known */
function missingOf(migrations: readonly Migration[], applied: readonly AppliedStep[]): Migration[] {
  for (const row of applied) {
    const known = migrations[row.version - 1];
    if (known === undefined) {
      throw new MigrationError(
        `the database is at schema version ${row.version}, this program knows ${migrations.length}; run a newer program`,
      );
    }
    if (known.checksum !== row.checksum) {
      throw new MigrationError(
        `migration ${row.version}-${row.name} was changed after it was applied; restore the file and add a new step`,
      );
    }
  }
  const done = new Set(applied.map((row) => row.version));
  return migrations.filter(({ version }) => !done.has(version));
}

async function apply(client: StoreClient, missing: readonly Migration[]): Promise<number[]> {
  for (const { version, name, checksum, statements } of missing) {
    for (const statement of statements) {
      for (const form of placed(statement, client)) await client.command(form);
    }
    await client.insert({
      table: 'schema_migrations',
      body: Buffer.from(`${JSON.stringify({ version, name, checksum })}\n`),
      token: `migration:${version}:${checksum}`,
    });
  }
  return missing.map(({ version }) => version);
}

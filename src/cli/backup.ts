import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadConfig } from '../config.js';
import { packageVersion } from '../lib/package-root.js';
import { BackupError, checkedManifest, copyTree, writeManifest } from '../log/data-copy.js';
import { acquireDirectoryLock } from '../log/directory-lock.js';
import { backupEmbedded, restoreEmbedded } from '../store/embedded/backup.js';
import { textOf, UsageError, type CliCommand, type CommandContext } from './command.js';

const CLICKHOUSE = 'clickhouse';
const OPTIONS = { config: { type: 'string' } } satisfies CliCommand['options'];

export const backup: CliCommand = {
  name: 'backup',
  usage: 'DIRECTORY [--config FILE]',
  summary: 'copy all that a stopped observer keeps into a new directory',
  options: OPTIONS,
  help: { config: 'configuration of the install; PARALLAX_CONFIG' },
  run: async (context) => {
    const { directory, dataDir, database, isEmbedded } = partsOf(context, backup);
    if (!existsSync(join(dataDir, 'log'))) throw new BackupError(`${dataDir} holds no data of an observer`);
    if (`${directory}/`.startsWith(`${dataDir}/`)) throw new BackupError(`${directory} lies within ${dataDir}`);
    const target = emptyDirectory(directory);
    await holding(join(dataDir, 'log'), async () => {
      // The log and its cursors first: what ClickHouse has besides is stored again, and counts once.
      copyTree(dataDir, join(target, 'data'), [CLICKHOUSE]);
      if (isEmbedded) await backupEmbedded({ dataDir, database, directory: join(target, CLICKHOUSE) });
    });
    const about = { program: packageVersion(), madeAt: new Date().toISOString(), database, hasClickHouse: isEmbedded };
    const { files } = writeManifest(target, about);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    context.console.out(
      `${files.length} files, ${bytes} bytes in ${target}\nthey hold keys and the install seed: keep them as safe as the data\n`,
    );
    if (!isEmbedded)
      context.console.out('ClickHouse is a server of its own: back it up now, after this; see docs/clickhouse.md\n');
    return 0;
  },
};

export const restore: CliCommand = {
  name: 'restore',
  usage: 'DIRECTORY [--config FILE]',
  summary: 'put a backup into an empty data directory',
  options: OPTIONS,
  help: { config: 'configuration of the install; PARALLAX_CONFIG' },
  run: async (context) => {
    const { directory, dataDir, database, isEmbedded } = partsOf(context, restore);
    const manifest = checkedManifest(directory);
    if (manifest.hasClickHouse && isEmbedded && manifest.database !== database) {
      throw new BackupError(`it is of the database ${manifest.database}; set clickhouse.database to that`);
    }
    const target = emptyDirectory(dataDir);
    try {
      copyTree(join(directory, 'data'), target);
      if (manifest.hasClickHouse && isEmbedded) {
        await restoreEmbedded({ dataDir: target, database, directory: join(directory, CLICKHOUSE) });
      }
    } catch (error) {
      // Half of it would be taken for all.
      for (const name of readdirSync(target)) rmSync(join(target, name), { recursive: true, force: true });
      throw error;
    }
    context.console.out(
      `restored into ${target} what was backed up at ${manifest.madeAt}; start it with "parallax serve"\n`,
    );
    if (manifest.hasClickHouse !== isEmbedded) {
      context.console.out('ClickHouse is not part of it here: restore it on its server; see docs/clickhouse.md\n');
    }
    return 0;
  },
};

function partsOf(context: CommandContext, { name, usage }: CliCommand) {
  const [directory, ...rest] = context.positionals;
  if (directory === undefined || rest.length > 0) throw new UsageError(`parallax ${name} ${usage}`);
  const { dataDir, clickhouse } = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
  return {
    directory: resolve(directory),
    dataDir: resolve(dataDir),
    database: clickhouse.database,
    isEmbedded: clickhouse.url === 'embedded',
  };
}

/** Makes it where it is missing. @throws BackupError where something is in it */
function emptyDirectory(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (readdirSync(directory).length > 0) throw new BackupError(`${directory} is not empty; name a new one`);
  return directory;
}

/** @throws DirectoryHeldError while an observer runs */
async function holding(directory: string, work: () => Promise<void>): Promise<void> {
  const lock = acquireDirectoryLock(directory);
  try {
    await work();
  } finally {
    lock.release();
  }
}

import { readFileSync } from 'node:fs';
import type { ClickHouseConfig } from '../model/clickhouse-settings.js';

/**
 * The password of the server's user; empty where none is configured. A file is read anew at every try to connect, so
 * that a renewed one needs no restart.
 *
 * @throws Error naming the file, never what is in it
 */
export function storePassword(
  { passwordEnv, passwordFile }: Pick<ClickHouseConfig, 'passwordEnv' | 'passwordFile'>,
  env: NodeJS.ProcessEnv,
): string {
  if (passwordFile === undefined) return passwordEnv === undefined ? '' : (env[passwordEnv] ?? '');
  try {
    return readFileSync(passwordFile, 'utf8').trim();
  } catch (error) {
    const cause = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new Error(`clickhouse.passwordFile ${passwordFile}: cannot be read (${cause}); check path and permissions`, {
      cause: error,
    });
  }
}

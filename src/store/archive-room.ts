import type { StoreClient } from './client.js';
import { localName, storageOf } from './cluster.js';

const TABLE = 'baseline_states';
const PARTITION = /^[0-9]{8}$/;

/**
 * Lets the oldest weeks of archived baselines go until the rest fits. The latest week stays.
 *
 * @param maxBytes on disk
 * @returns false where even the latest week does not fit
 * @throws StoreError
 */
export async function makeArchiveRoom(
  client: Pick<StoreClient, 'select' | 'command' | 'database'> & Partial<Pick<StoreClient, 'cluster'>>,
  maxBytes: number,
): Promise<boolean> {
  const { database, cluster } = client;
  // Of a cluster one replica of each shard is asked.
  const parts = cluster === undefined ? 'system.parts' : `cluster('${cluster.name}', system.parts)`;
  const weeks = await client.select<{ id: string; bytes: string }>(
    `SELECT partition_id AS id, sum(bytes_on_disk) AS bytes FROM ${parts}
     WHERE database = {database:String} AND table = {table:String} AND active GROUP BY id ORDER BY id`,
    { database, table: cluster === undefined ? TABLE : localName(TABLE) },
  );
  let bytes = weeks.reduce((sum, week) => sum + Number(week.bytes), 0);
  for (const week of weeks.slice(0, -1)) {
    if (bytes <= maxBytes) return true;
    // Made by the engine from a date; it goes into the statement as text.
    if (!PARTITION.test(week.id)) throw new RangeError(`partition ${week.id} of ${TABLE} is no week`);
    await client.command(`ALTER TABLE ${storageOf(TABLE, client)} DROP PARTITION ID '${week.id}'`);
    bytes -= Number(week.bytes);
  }
  return bytes <= maxBytes;
}

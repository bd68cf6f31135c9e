import type { StoreClient } from './client.js';

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
  client: Pick<StoreClient, 'select' | 'command'>,
  maxBytes: number,
): Promise<boolean> {
  const weeks = await client.select<{ id: string; bytes: string }>(
    `SELECT partition_id AS id, sum(bytes_on_disk) AS bytes FROM system.parts
     WHERE database = currentDatabase() AND table = {table:String} AND active GROUP BY id ORDER BY id`,
    { table: TABLE },
  );
  let bytes = weeks.reduce((sum, week) => sum + Number(week.bytes), 0);
  for (const week of weeks.slice(0, -1)) {
    if (bytes <= maxBytes) return true;
    // Made by the engine from a date; it goes into the statement as text.
    if (!PARTITION.test(week.id)) throw new RangeError(`partition ${week.id} of ${TABLE} is no week`);
    await client.command(`ALTER TABLE ${TABLE} DROP PARTITION ID '${week.id}'`);
    bytes -= Number(week.bytes);
  }
  return bytes <= maxBytes;
}

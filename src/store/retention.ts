import type { StoreClient } from './client.js';
import { localName, storageOf } from './cluster.js';

/** How long rows are kept, days. */
export interface Retention {
  observationDays: number;
  payloadDays: number;
  /** Whole states of baselines; 365. */
  baselineDays?: number;
}

/** ClickHouse reckons expiry in seconds of 32 bits: a later end wraps around and deletes everything at once. */
const MAX_DAYS = 10_000;
const BASELINE_DAYS = 365;

/**
 * Sets how long observations, dead letters, payloads and whole baselines are kept. Changes a table only where it says something else, so
 * that a restart costs nothing; rows already stored follow at their next merge.
 *
 * @throws RangeError when a number is no whole number of days from 1 to 10,000
 */
export async function applyRetention(client: StoreClient, retention: Retention): Promise<void> {
  const wanted = [
    { table: 'observations', expression: 'toDateTime(observedAt)', days: retention.observationDays },
    { table: 'dead_letters', expression: 'storedAt', days: retention.observationDays },
    { table: 'payloads', expression: 'storedAt', days: retention.payloadDays },
    { table: 'baseline_states', expression: 'toDateTime(archivedAt)', days: retention.baselineDays ?? BASELINE_DAYS },
  ];
  for (const { table, expression, days } of wanted) {
    if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS) {
      throw new RangeError(`retention of ${table} must be whole days from 1 to ${MAX_DAYS}, not ${days}`);
    }
    const ttl = `${expression} + toIntervalDay(${days})`;
    const [row] = await client.select<{ engineFull: string }>(
      'SELECT engine_full AS engineFull FROM system.tables WHERE database = currentDatabase() AND name = {table:String}',
      { table: client.cluster === undefined ? table : localName(table) },
    );
    if (row?.engineFull.includes(`TTL ${ttl} `) === true) continue;
    await client.command(
      `ALTER TABLE ${storageOf(table, client)} MODIFY TTL ${ttl} SETTINGS materialize_ttl_after_modify = 0`,
    );
  }
}

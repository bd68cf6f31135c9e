import type { ArchivedVersion } from '../model/baseline.js';
import type { Selector } from './client.js';
import type { RawRow } from './column.js';
import type { ArchivedState } from './port.js';
import { archivedState, archivedVersion } from './result-row.js';

/** First digits of the seal. */
const ABOUT = `agentId, version, seal, sessionCount, bytes, origin, format, seedPrint, substring(seal, 1, 12) AS stateId,
  toUnixTimestamp64Milli(time) AS timeMs, toUnixTimestamp64Milli(archivedAt) AS archivedAtMs`;

/** Reads whole baseline states. One that was stored twice is the one that was stored first. */
export class ArchiveQueries {
  readonly #client: Selector;

  constructor(client: Selector) {
    this.#client = client;
  }

  async versions(filter: {
    tenant: string;
    agentId: string;
    version?: number;
    limit: number;
  }): Promise<ArchivedVersion[]> {
    const { version, ...rest } = filter;
    const rows = await this.#client.select<RawRow>(
      `SELECT * FROM (
         SELECT ${ABOUT} FROM baseline_states
         WHERE tenant = {tenant:String} AND agentId = {agentId:String}
           ${version === undefined ? '' : 'AND version = {version:UInt64}'}
         ORDER BY archivedAtMs LIMIT 1 BY version, seal)
       ORDER BY archivedAtMs DESC LIMIT {limit:UInt32}`,
      version === undefined ? rest : { ...rest, version },
    );
    return rows.map(archivedVersion);
  }

  async state(filter: {
    tenant: string;
    agentId: string;
    version: number;
    stateId: string;
  }): Promise<ArchivedState | undefined> {
    const rows = await this.#client.select<RawRow>(
      `SELECT ${ABOUT}, state FROM baseline_states
       WHERE tenant = {tenant:String} AND agentId = {agentId:String} AND version = {version:UInt64}
         AND stateId = {stateId:String}
       ORDER BY archivedAtMs LIMIT 1`,
      filter,
    );
    return rows.map(archivedState)[0];
  }

  async tenantState(filter: { tenant: string; seedPrint: string; before: number }): Promise<ArchivedState | undefined> {
    const rows = await this.#client.select<RawRow>(
      `SELECT ${ABOUT}, state FROM baseline_states
       WHERE (tenant, agentId, version, seal) IN (
         SELECT tenant, agentId, version, seal FROM baseline_states
         WHERE tenant = {tenant:String} AND agentId = '' AND seedPrint = {seedPrint:String}
         GROUP BY tenant, agentId, version, seal
         HAVING min(toUnixTimestamp64Milli(archivedAt)) <= {before:Int64}
         ORDER BY min(archivedAt) DESC LIMIT 1)
       ORDER BY archivedAtMs LIMIT 1`,
      filter,
    );
    return rows.map(archivedState)[0];
  }
}

import type { ContentRead } from '../model/content-read.js';
import type { Payload } from '../model/observation.js';
import type { Selector } from './client.js';
import { integer, text, type RawRow } from './column.js';

/** Reads content, and who read it. */
export class ContentQueries {
  readonly #client: Selector;

  constructor(client: Selector) {
    this.#client = client;
  }

  async payload(tenant: string, id: string): Promise<Payload | undefined> {
    const [row] = await this.#client.select<RawRow>(
      `SELECT id, tenant, agentId, sessionId, content, toUnixTimestamp64Milli(time) AS timeMs FROM payloads
       WHERE tenant = {tenant:String} AND id = {id:String} ORDER BY position LIMIT 1`,
      { tenant, id },
    );
    if (row === undefined) return undefined;
    return {
      id: text(row, 'id'),
      tenant: text(row, 'tenant'),
      agentId: text(row, 'agentId'),
      sessionId: text(row, 'sessionId'),
      time: integer(row, 'timeMs'),
      content: text(row, 'content'),
    };
  }

  /** Newest first. */
  async reads(filter: { tenant: string; limit: number }): Promise<ContentRead[]> {
    const rows = await this.#client.select<RawRow>(
      `SELECT *, toUnixTimestamp64Milli(time) AS timeMs FROM content_reads
       WHERE tenant = {tenant:String} ORDER BY time DESC, position DESC LIMIT 1 BY id LIMIT {limit:UInt32}`,
      filter,
    );
    return rows.map((row) => ({
      id: text(row, 'id'),
      time: integer(row, 'timeMs'),
      tenant: text(row, 'tenant'),
      readBy: text(row, 'readBy'),
      role: text(row, 'role'),
      observationId: text(row, 'observationId'),
      agentId: text(row, 'agentId'),
      reason: text(row, 'reason'),
    }));
  }
}

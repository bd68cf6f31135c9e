import { STREAMS, type Stream } from '../model/observation.js';
import type { BaselineVersion } from '../model/baseline.js';
import type { CommandEvent } from '../model/command.js';
import type { Incident } from '../model/incident.js';
import type { Selector } from './client.js';
import { ContentQueries } from './content-queries.js';
import { ArchiveQueries } from './archive-queries.js';
import type { RawRow } from './column.js';
import { ObservationQueries } from './observation-queries.js';
import { baselineVersion, commandEvent, deadLetter, incident } from './result-row.js';
import type { ObservationCount, StoredDeadLetter, StoreQueries } from './port.js';

const MAX_LIMIT = 10_000;
/** Beyond every event time there is; epoch ms. */
const END_OF_TIME_MS = 8_640_000_000_000_000;

/** All reads: bound to a tenant, values only as parameters, never more than 10,000 rows. */
export class ClickHouseQueries implements StoreQueries {
  readonly archive: ArchiveQueries;
  readonly history: ObservationQueries;
  readonly content: ContentQueries;
  readonly #client: Selector;

  constructor(client: Selector) {
    this.#client = client;
    this.archive = new ArchiveQueries(client);
    this.history = new ObservationQueries(client);
    this.content = new ContentQueries(client);
  }

  async observationCounts(filter: {
    tenant: string;
    from?: number;
    to?: number;
    limit?: number;
  }): Promise<ObservationCount[]> {
    const rows = await this.#client.select<{ agentId: string; stream: string; observations: string }>(
      `SELECT agentId, stream, uniqExact(id) AS observations
       FROM observations
       WHERE tenant = {tenant:String}
         AND toUnixTimestamp64Milli(time) >= {from:Int64} AND toUnixTimestamp64Milli(time) < {to:Int64}
       GROUP BY agentId, stream ORDER BY agentId, stream LIMIT {limit:UInt32}`,
      {
        tenant: filter.tenant,
        from: whole('from', filter.from ?? 0),
        to: whole('to', filter.to ?? END_OF_TIME_MS),
        limit: limited(filter.limit ?? MAX_LIMIT),
      },
    );
    return rows.flatMap((row) => {
      const stream = STREAMS.find((name): name is Stream => name === row.stream);
      return stream === undefined ? [] : [{ agentId: row.agentId, stream, observations: Number(row.observations) }];
    });
  }

  async distinctObservations(tenant: string): Promise<number> {
    const [row] = await this.#client.select<{ observations: string }>(
      'SELECT uniqExact(id) AS observations FROM observations WHERE tenant = {tenant:String}',
      { tenant },
    );
    return Number(row?.observations ?? 0);
  }

  async deadLetters(filter: { tenant: string; limit: number }): Promise<StoredDeadLetter[]> {
    const rows = await this.#client.select<RawRow>(
      `SELECT *, toUnixTimestamp64Milli(time) AS timeMs FROM dead_letters
       WHERE tenant = {tenant:String} ORDER BY storedAt DESC, time DESC, id LIMIT 1 BY id LIMIT {limit:UInt32}`,
      { tenant: filter.tenant, limit: limited(filter.limit) },
    );
    return rows.map(deadLetter);
  }

  async incidents(filter: { tenant: string; agentId?: string; before?: number; limit: number }): Promise<Incident[]> {
    const rows = await this.#client.select<RawRow>(
      `${SELECT_INCIDENT}
       WHERE tenant = {tenant:String} AND ({agentId:String} = '' OR agentId = {agentId:String})
         AND toUnixTimestamp64Milli(openedAt) < {before:Int64}
       ORDER BY openedAt DESC, id LIMIT {limit:UInt32}`,
      {
        tenant: filter.tenant,
        agentId: filter.agentId ?? '',
        before: whole('before', filter.before ?? END_OF_TIME_MS),
        limit: limited(filter.limit),
      },
    );
    return rows.map(incident);
  }

  async incident(tenant: string, id: string): Promise<Incident | undefined> {
    const rows = await this.#client.select<RawRow>(
      `${SELECT_INCIDENT} WHERE tenant = {tenant:String} AND id = {id:String} LIMIT 1`,
      { tenant, id },
    );
    return rows.map(incident)[0];
  }

  async commandEvents(tenant: string, commandId: string): Promise<CommandEvent[]> {
    const rows = await this.#client.select<RawRow>(
      `SELECT *, toUnixTimestamp64Milli(time) AS timeMs FROM command_events FINAL
       WHERE tenant = {tenant:String} AND commandId = {commandId:String}
       ORDER BY sequence LIMIT {limit:UInt32}`,
      { tenant, commandId, limit: MAX_LIMIT },
    );
    return rows.map(commandEvent);
  }

  async baselineVersions(filter: {
    tenant: string;
    agentId: string;
    feature?: string;
    version?: number;
    limit: number;
  }): Promise<BaselineVersion[]> {
    const one = filter.feature !== undefined;
    const rows = await this.#client.select<RawRow>(
      `SELECT *, toUnixTimestamp64Milli(time) AS timeMs FROM baseline_versions FINAL
       WHERE tenant = {tenant:String} AND agentId = {agentId:String}
         ${one ? 'AND feature = {feature:String}' : ''}
         ${filter.version === undefined ? '' : 'AND version = {version:UInt64}'}
       ORDER BY feature, version DESC ${one ? '' : 'LIMIT 1 BY feature'} LIMIT {limit:UInt32}`,
      {
        tenant: filter.tenant,
        agentId: filter.agentId,
        feature: filter.feature ?? '',
        version: whole('version', filter.version ?? 0),
        limit: limited(filter.limit),
      },
    );
    return rows.map(baselineVersion);
  }
}

const SELECT_INCIDENT = `SELECT * REPLACE (
    arrayMap(e -> tuple(toUnixTimestamp64Milli(e.time), e.stream, e.text, e.refId)::Tuple(time Int64, stream String, text String, refId String), timeline) AS timeline),
  toUnixTimestamp64Milli(openedAt) AS openedAtMs, toUnixTimestamp64Milli(updatedAt) AS updatedAtMs
  FROM incidents FINAL`;

function limited(limit: number): number {
  return Math.min(Math.max(1, whole('limit', limit)), MAX_LIMIT);
}

/** @throws RangeError naming the value */
function whole(name: string, value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${name} must be a whole number`);
  return value;
}

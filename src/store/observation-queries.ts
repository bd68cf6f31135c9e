import type { Observation } from '../model/observation.js';
import type { Selector } from './client.js';
import { integer, type RawRow } from './column.js';
import type { ObservationFilter, ObservationHour, ObservationPlace } from './port.js';
import { OBSERVATION_COLUMNS, observationFrom } from './stored-observation.js';

const HOUR_MS = 60 * 60_000;
/** Retention allows 10,000 days; more hours than this are read in several rebuilds. */
const MAX_HOURS = 100_000;

const OF_AGENT = `tenant = {tenant:String} AND agentId = {agentId:String}
  AND toUnixTimestamp64Milli(time) >= {since:Int64} AND toUnixTimestamp64Milli(time) < {until:Int64}`;

/** Reads an agent's observations back, hour by hour and page by page, so that each statement looks at one partition. */
export class ObservationQueries {
  readonly #client: Selector;

  constructor(client: Selector) {
    this.#client = client;
  }

  async hours(filter: ObservationFilter): Promise<ObservationHour[]> {
    const rows = await this.#client.select<RawRow>(
      `SELECT toInt64(toUnixTimestamp(toStartOfHour(observedAt))) * 1000 AS fromMs, uniqExact(id) AS observations
       FROM observations WHERE ${OF_AGENT} GROUP BY fromMs ORDER BY fromMs LIMIT {limit:UInt32}`,
      { ...filter, limit: MAX_HOURS },
    );
    return rows.map((row) => ({ from: integer(row, 'fromMs'), observations: integer(row, 'observations') }));
  }

  /**
   * In log order within each minute of arrival: positions alone would mix a log with one that was begun anew.
   *
   * @throws StoredShapeError, StoreError
   */
  async page({
    hour,
    after,
    ...filter
  }: ObservationFilter & { hour: number; after: ObservationPlace; limit: number }): Promise<{
    observations: Observation[];
    next: ObservationPlace;
  }> {
    const rows = await this.#client.select<RawRow>(
      `SELECT ${OBSERVATION_COLUMNS}, toInt64(toUnixTimestamp(toStartOfMinute(observedAt))) * 1000 AS minuteMs
       FROM observations
       WHERE ${OF_AGENT}
         AND observedAt >= fromUnixTimestamp64Milli({hour:Int64}) AND observedAt < fromUnixTimestamp64Milli({end:Int64})
         AND (minuteMs, position) > ({minute:Int64}, {position:UInt64})
       ORDER BY minuteMs, position LIMIT {limit:UInt32}`,
      { ...filter, hour, end: hour + HOUR_MS, minute: after.minute, position: after.position },
    );
    const last = rows.at(-1);
    return {
      observations: rows.map(observationFrom),
      next: last === undefined ? after : { minute: integer(last, 'minuteMs'), position: integer(last, 'position') },
    };
  }
}

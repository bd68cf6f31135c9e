/** What the dashboard's time picker and the panel's width make of a query. */
export interface TimeRange {
  /** Epoch ms. */
  fromMs: number;
  toMs: number;
  intervalMs: number;
}

type Macro = (range: TimeRange, args: readonly string[]) => string;

const dateTime = (ms: number) => `toDateTime(${Math.floor(ms / 1000)})`;
const dateTime64 = (ms: number) => `fromUnixTimestamp64Milli(${Math.floor(ms)})`;
const seconds = ({ intervalMs }: TimeRange) => Math.floor(Math.max(intervalMs / 1000, 1));

/** The macros that the dashboards use, after pkg/macros/macros.go of grafana/clickhouse-datasource (v4). */
const MACROS: Readonly<Record<string, Macro>> = {
  fromTime: ({ fromMs }) => dateTime(fromMs),
  toTime: ({ toMs }) => dateTime(toMs),
  fromTime_ms: ({ fromMs }) => dateTime64(fromMs),
  toTime_ms: ({ toMs }) => dateTime64(toMs),
  timeFilter: ({ fromMs, toMs }, [column = '']) =>
    `${column} >= ${dateTime(fromMs)} AND ${column} <= ${dateTime(toMs)}`,
  timeFilter_ms: ({ fromMs, toMs }, [column = '']) =>
    `${column} >= ${dateTime64(fromMs)} AND ${column} <= ${dateTime64(toMs)}`,
  timeInterval: (range, [column = '']) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${seconds(range)} second)`,
  interval_s: (range) => String(seconds(range)),
};
/** How many arguments each takes; the plugin refuses any other number. */
const ARGUMENTS: Readonly<Record<string, number>> = { timeFilter: 1, timeFilter_ms: 1, timeInterval: 1 };

/**
 * Expands the plugin's macros, as its backend does after the browser put the variables in.
 *
 * @throws Error for a macro that is not known, or has another number of arguments
 */
export function expandMacros(sql: string, range: TimeRange): string {
  return sql.replace(/\$__(\w+)(?:\(([^()]*)\))?/g, (match, name: string, list?: string) => {
    const macro = MACROS[name];
    if (macro === undefined) throw new Error(`${match}: no such macro`);
    const args = list === undefined || list.trim() === '' ? [] : list.split(',').map((arg) => arg.trim());
    if (args.length !== (ARGUMENTS[name] ?? 0)) throw new Error(`${match}: wrong number of arguments`);
    return macro(range, args);
  });
}

import { Session } from 'chdb';
import type { Clock } from '../../lib/clock.js';
import { overloaded } from './exception.js';

/** A statement, or an insert whose body goes to the engine as it is. */
export interface LaneTask {
  database: string;
  /** Statement text; for an insert with a body, unused. */
  sql: string;
  /** Values of `{name:Type}` placeholders, escaped as in the URL of the HTTP interface. */
  params: ReadonlyMap<string, string>;
  settings: ReadonlyMap<string, string>;
  format: string;
  insert?: { table: string; columns: string[]; format: RawFormat; body: Uint8Array };
  /** True once the asker has gone; a waiting task is then dropped. */
  abandoned: () => boolean;
}

export type RawFormat = 'JSONEachRow' | 'JSONCompactEachRow' | 'TabSeparated' | 'CSV';

export interface LaneResult {
  bytes: Uint8Array;
  readRows: number;
  readBytes: number;
  writtenRows: number;
  writtenBytes: number;
  elapsedSeconds: number;
}

interface Waiting {
  task: LaneTask;
  resolve: (result: LaneResult) => void;
  reject: (error: unknown) => void;
}

export interface LaneOptions {
  /** Folder of the engine; all lanes of a process share one. */
  dataDir: string;
  /** In the engine's command line form. */
  engineArguments: readonly string[];
  maxQueued: number;
  clock: Clock;
}

/**
 * One connection to the engine that runs one statement at a time, with a bounded queue before it.
 *
 * Placeholders travel as `SET param_x` before the statement, on the lane's own connection: the engine's call with
 * parameters is not safe when two connections use it at once (chdb-node issue 51).
 */
export class Lane {
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #maxQueued: number;
  readonly #queue: Waiting[] = [];
  /** Names bound by earlier statements; emptied before the next one, so that no value outlives its request. */
  #boundParams = new Set<string>();
  #database = '';
  #running: Promise<void> | undefined;
  #busySince: number | undefined;

  constructor(options: LaneOptions) {
    this.#session = new Session(options.dataDir, { connectionArgs: options.engineArguments });
    this.#maxQueued = options.maxQueued;
    this.#clock = options.clock;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Since when the current statement runs, epoch ms; undefined when idle. */
  get busySince(): number | undefined {
    return this.#busySince;
  }

  /** @throws HttpException 503 when the queue is full; otherwise whatever the engine says */
  async submit(task: LaneTask): Promise<LaneResult> {
    if (this.#queue.length >= this.#maxQueued) throw overloaded('the query queue is full; try again later');
    return new Promise<LaneResult>((resolve, reject) => {
      this.#queue.push({ task, resolve, reject });
      this.#running ??= this.#work();
    });
  }

  /** Waits for the running statement, refuses the waiting ones. */
  async close(): Promise<void> {
    for (const waiting of this.#queue.splice(0)) waiting.reject(overloaded('the engine is stopping'));
    await this.#running;
    this.#session.close();
  }

  async #work(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (next.task.abandoned()) {
        next.reject(overloaded('the asker has gone'));
        continue;
      }
      this.#busySince = this.#clock.now();
      try {
        next.resolve(await this.#run(next.task));
      } catch (error) {
        next.reject(error);
      }
      this.#busySince = undefined;
    }
    this.#running = undefined;
  }

  async #run(task: LaneTask): Promise<LaneResult> {
    if (task.insert !== undefined) return this.#insert(task.insert, task);
    const settings = [...task.settings].map(([name, value]) => `${name}=${literal(value)}`);
    const before = this.#preamble(task, settings);
    try {
      const result = await this.#session.queryAsync(`${before}${task.sql}`, { format: task.format });
      return {
        bytes: result.bytes(),
        readRows: result.rowsRead,
        readBytes: result.bytesRead,
        writtenRows: 0,
        writtenBytes: 0,
        elapsedSeconds: result.elapsed,
      };
    } catch (error) {
      // Part of the preamble may not have been reached: say everything again next time.
      this.#database = '';
      throw error;
    } finally {
      const names = [...task.settings.keys()];
      if (names.length > 0) {
        await this.#session.queryAsync(`SET ${names.map((name) => `${name}=DEFAULT`).join(', ')}`).catch(() => {});
      }
    }
  }

  #preamble(task: LaneTask, settings: readonly string[]): string {
    const assignments = [...settings];
    for (const name of this.#boundParams) if (!task.params.has(name)) assignments.push(`param_${name}=''`);
    for (const [name, value] of task.params) assignments.push(`param_${name}=${literal(value)}`);
    this.#boundParams = new Set(task.params.keys());
    let text = '';
    if (task.database !== this.#database && task.database !== '') {
      text += `USE \`${task.database}\`;\n`;
      this.#database = task.database;
    }
    if (assignments.length > 0) text += `SET ${assignments.join(', ')};\n`;
    return text;
  }

  async #insert(insert: NonNullable<LaneTask['insert']>, task: LaneTask): Promise<LaneResult> {
    const table =
      insert.table.includes('.') || task.database === '' ? insert.table : `${task.database}.${insert.table}`;
    const summary = await this.#session.insert({
      table,
      format: insert.format,
      values: insert.body,
      settings: Object.fromEntries(task.settings),
      ...(insert.columns.length > 0 ? { columns: insert.columns } : {}),
    });
    return {
      bytes: new Uint8Array(0),
      readRows: summary.rowsSent ?? summary.rowsWritten,
      readBytes: summary.bytesSent,
      writtenRows: summary.rowsWritten,
      writtenBytes: summary.bytesWritten,
      elapsedSeconds: summary.elapsed,
    };
  }
}

/** A string literal of the engine's SQL. Only the quote and the backslash can end or change one. */
function literal(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

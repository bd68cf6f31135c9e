import {
  createClient,
  ClickHouseError,
  ClickHouseLogLevel,
  type ClickHouseClient,
  type ClickHouseSettings,
} from '@clickhouse/client';
import { Readable } from 'node:stream';
import type { ClickHouseCluster, TlsFiles } from '../model/clickhouse-settings.js';
import { tlsAgent, tlsHint } from './tls.js';

/** Where ClickHouse is. Embedded or a server: only these values differ. */
export interface StoreConnection {
  url: string;
  username: string;
  password: string;
  database: string;
  tls?: TlsFiles | undefined;
  cluster?: ClickHouseCluster | undefined;
  /** A server of the user's own, whose defaults are not known; the embedded engine is started with ours. */
  isServer?: boolean;
}

export type ParameterValue = string | number | boolean | readonly string[] | readonly number[];

/** The part of the client that reads. */
export interface Selector {
  select<Row>(sql: string, params?: Record<string, ParameterValue>): Promise<Row[]>;
}

export interface InsertRequest {
  table: string;
  /** Rows as JSON texts, one per line. */
  body: Uint8Array;
  /** The same for every try of the same rows, and for no other rows. */
  token: string;
}

/** A failed statement. `row`: these rows can never be stored as they are; `transient`: try again. */
export class StoreError extends Error {
  override name = 'StoreError';
  constructor(
    message: string,
    readonly kind: 'row' | 'transient',
    /** ClickHouse exception code; 0 where no ClickHouse answered. */
    readonly code: number,
  ) {
    super(message);
  }
}

/**
 * Codes that say "this text is no such row": parse errors, wrong types, values out of range, a bad escape. Everything
 * else (network, overload, missing table, full disk) is not the rows' fault.
 */
const ROW_CODES = new Set([
  6, 25, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 128, 130, 131, 321, 349, 376, 441, 675, 676,
]);

/** Explicit because defaults move between versions (`async_insert` became 1 in 26.x). */
const INSERT_SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // Into a Distributed table: done when the shards have it, each under the same token.
  insert_distributed_sync: 1,
  max_insert_threads: '1',
  max_partitions_per_insert_block: '0',
  date_time_input_format: 'basic',
  input_format_skip_unknown_fields: 1,
  input_format_null_as_default: 1,
  input_format_json_read_arrays_as_strings: 1,
  input_format_json_read_objects_as_strings: 1,
  input_format_json_named_tuples_as_objects: 1,
  input_format_json_defaults_for_missing_elements_in_named_tuple: 1,
  input_format_json_ignore_unknown_keys_in_named_tuple: 1,
  // A lone surrogate half in an agent's text is kept as it stands rather than costing the row.
  input_format_json_throw_on_bad_escape_sequence: 0,
};

/** What answers mean, and that an answer is never a part of one without saying so. */
const SELECT_SETTINGS: ClickHouseSettings = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 1,
  session_timezone: 'UTC',
  // Replicas are asked as they are: a read that waited for a quorum would fail wherever one is away.
  select_sequential_consistency: '0',
  skip_unavailable_shards: 0,
};

/** Statements that change tables end when the change is made, on all servers. */
const COMMAND_SETTINGS: ClickHouseSettings = { mutations_sync: '2', alter_sync: '2' };
const CLUSTER_COMMAND_SETTINGS: ClickHouseSettings = {
  ...COMMAND_SETTINGS,
  distributed_ddl_task_timeout: '100',
  distributed_ddl_output_mode: 'throw',
};

const REQUEST_TIMEOUT_MS = 120_000;

/** The only door to ClickHouse. */
export class StoreClient {
  readonly database: string;
  /** Undefined for a single server. */
  readonly cluster: ClickHouseCluster | undefined;
  readonly #client: ClickHouseClient;
  readonly #selects: ClickHouseSettings;
  readonly #inserts: ClickHouseSettings;
  readonly #commands: ClickHouseSettings;

  /** @throws TlsFileError naming setting and file */
  constructor(connection: StoreConnection, options: { requestTimeoutMs?: number; maxConnections?: number } = {}) {
    const { cluster, tls } = connection;
    const maxConnections = options.maxConnections ?? 4;
    this.database = connection.database;
    this.cluster = cluster;
    this.#selects = connection.isServer === true ? SELECT_SETTINGS : {};
    this.#inserts = { ...INSERT_SETTINGS, ...quorumOf(cluster) };
    this.#commands = cluster === undefined ? COMMAND_SETTINGS : CLUSTER_COMMAND_SETTINGS;
    this.#client = createClient({
      ...(tls === undefined ? {} : { http_agent: tlsAgent(tls, maxConnections) }),
      ...(tls?.certFile === undefined || connection.password !== '' ? {} : certificateLogin(connection.username)),
      url: connection.url,
      username: connection.username,
      password: connection.password,
      database: connection.database,
      application: 'parallax',
      // Errors come back to the caller, who reports them once; the client's own log would print them again.
      log: { level: ClickHouseLogLevel.OFF },
      request_timeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      max_open_connections: maxConnections,
      // A socket must be given up before the server does it, else the next request is reset: servers of all versions
      // in use keep idle sockets for at least 3 s.
      keep_alive: { enabled: true, idle_socket_ttl: 2_000, eagerly_destroy_stale_sockets: true },
    });
  }

  /** Inserts rows exactly as given; resolves when they are stored, or were before. @throws StoreError */
  async insert(request: InsertRequest): Promise<void> {
    await translated(async () => {
      const { stream } = await this.#client.exec({
        query: `INSERT INTO ${identifier(request.table)} FORMAT JSONEachRow`,
        values: Readable.from([request.body], { objectMode: false }),
        clickhouse_settings: { ...this.#inserts, insert_deduplication_token: request.token },
      });
      // The socket returns to the pool only when the answer is read to its end.
      for await (const _ of stream);
    });
  }

  /** Rows of a SELECT; values only through `{name:Type}` placeholders. 64-bit integers arrive as texts. @throws StoreError */
  async select<Row>(sql: string, params: Record<string, ParameterValue> = {}): Promise<Row[]> {
    return translated(async () => {
      const result = await this.#client.query({
        query: sql,
        query_params: params,
        format: 'JSONEachRow',
        clickhouse_settings: this.#selects,
      });
      return result.json<Row>();
    });
  }

  /** A statement without rows. @throws StoreError */
  async command(sql: string, params: Record<string, ParameterValue> = {}): Promise<void> {
    await translated(async () => {
      await this.#client.command({ query: sql, query_params: params, clickhouse_settings: this.#commands });
    });
  }

  /** Begins to change rows; it goes on when this has resolved. @throws StoreError */
  async mutate(sql: string, params: Record<string, ParameterValue>): Promise<void> {
    await translated(async () => {
      const settings = { ...this.#commands, mutations_sync: '0' };
      await this.#client.command({ query: sql, query_params: params, clickhouse_settings: settings });
    });
  }

  /** Whether a statement gets through, credentials included. */
  async ping(): Promise<boolean> {
    try {
      await this.select('SELECT 1 AS one');
      return true;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/** Of a user that is known by its certificate instead of a password. */
function certificateLogin(username: string) {
  return {
    set_basic_auth_header: false,
    http_headers: { 'X-ClickHouse-User': username, 'X-ClickHouse-SSL-Certificate-Auth': 'on' },
  };
}

function quorumOf(cluster: ClickHouseCluster | undefined): ClickHouseSettings {
  if (cluster?.replicated !== true) return {};
  return { insert_quorum: String(cluster.insertQuorum), insert_quorum_parallel: 1 };
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error);
  }
}

function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const text = (error instanceof Error ? error.message : String(error)).slice(0, 2_000);
  if (error instanceof ClickHouseError) {
    const code = Number(error.code);
    return new StoreError(
      `ClickHouse ${error.code} ${error.type ?? ''}: ${text}`,
      ROW_CODES.has(code) ? 'row' : 'transient',
      code,
    );
  }
  return new StoreError(`ClickHouse cannot be reached: ${text || 'no answer'}${tlsHint(error)}`, 'transient', 0);
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A name of our own that goes into SQL text. @throws RangeError when it is not a plain one */
export function identifier(name: string): string {
  if (!IDENTIFIER.test(name)) throw new RangeError(`"${name}" is not a plain identifier (letters, digits and _)`);
  return name;
}

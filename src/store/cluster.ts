import type { ClickHouseCluster } from '../model/clickhouse-settings.js';
import { identifier } from './client.js';
import { tokenizeSql, type SqlToken } from './sql-tokens.js';

/** A statement of the schema that has no form for clusters. */
export class ClusterFormError extends Error {
  override name = 'ClusterFormError';
}

export interface ClusterTarget {
  database: string;
  cluster: ClickHouseCluster;
}

/**
 * A retry of an insert is recognised among so many later ones of its table and shard, and for so long: a week, as the log keeps
 * records to insert again.
 */
const REPLICATED_WINDOW =
  'replicated_deduplication_window = 10000,\n    replicated_deduplication_window_seconds = 604800';
const SINGLE_WINDOW = 'non_replicated_deduplication_window';

/** Name of the table that holds a shard's rows. */
export function localName(table: string): string {
  return `${table}_local`;
}

/**
 * What `ALTER TABLE` names so that a change reaches the rows themselves: a Distributed table takes neither a TTL nor a
 * deletion, and holds no partitions.
 */
export function storageOf(
  table: string,
  { database, cluster }: { database: string; cluster?: ClickHouseCluster | undefined },
): string {
  if (cluster === undefined) return identifier(table);
  return `${identifier(database)}.${identifier(localName(table))} ${onCluster(cluster)}`;
}

/** `ON CLUSTER name`. */
export function onCluster({ name }: ClickHouseCluster): string {
  return `ON CLUSTER ${identifier(name)}`;
}

/**
 * A statement of the schema for a cluster: each table becomes a local one on every server and a Distributed one over
 * them, under the name that the single server has. Rows of one agent lie in one shard, so that `FINAL` (which works
 * shard by shard) sees all versions of a row.
 *
 * @throws ClusterFormError for a statement that is not known to work on a cluster
 */
export function clusterForm(statement: string, target: ClusterTarget): string[] {
  const tokens = tokenizeSql(statement);
  const words = tokens.map((token) => (token.kind === 'word' ? token.text.toUpperCase() : token.text));
  if (startsWith(words, 'CREATE TABLE IF NOT EXISTS')) return createForms(statement, tokens, target);
  if (startsWith(words, 'ALTER TABLE')) return alterForms(statement, tokens, words, target);
  if (startsWith(words, 'CREATE VIEW IF NOT EXISTS'))
    return [viewForm(statement, tokens, words, { ...target, nameAt: 5 })];
  if (startsWith(words, 'CREATE OR REPLACE VIEW'))
    return [viewForm(statement, tokens, words, { ...target, nameAt: 4 })];
  throw new ClusterFormError(`"${statement.slice(0, 60)}" has no form for a cluster; see src/store/cluster.ts`);
}

/** The table of applied steps: the same on all servers, whichever of them is asked. */
export function everywhereForm(statement: string, target: ClusterTarget): string {
  const { text } = storageForm(statement, target, (table) => ({
    name: table,
    path: `/clickhouse/tables/all/{database}/${table}`,
    replica: '{shard}-{replica}',
  }));
  return text;
}

function createForms(statement: string, tokens: SqlToken[], target: ClusterTarget): string[] {
  const { text, table } = storageForm(statement, target, (name) => ({
    name: localName(name),
    path: `/clickhouse/tables/{shard}/{database}/${name}`,
    replica: '{replica}',
  }));
  const { database, cluster } = target;
  const key = tokens.some(({ text: word }) => word === 'agentId') ? 'agentId' : 'id';
  const local = localName(table);
  return [
    text,
    `CREATE TABLE IF NOT EXISTS ${database}.${table} ${onCluster(cluster)} AS ${database}.${local}\n` +
      `ENGINE = Distributed(${quoted(cluster.name)}, ${quoted(database)}, ${quoted(local)}, cityHash64(tenant, ${key}))`,
  ];
}

/** `CREATE TABLE` with its engine replicated, and its settings for that. */
function storageForm(
  statement: string,
  { database, cluster }: ClusterTarget,
  placed: (table: string) => { name: string; path: string; replica: string },
): { text: string; table: string } {
  const tokens = tokenizeSql(statement);
  const [nameToken, engineAt] = [tokens[5], tokens.findIndex(({ text }) => text === 'ENGINE')];
  const engine = tokens[engineAt + 2];
  if (nameToken === undefined || engine?.text !== 'ReplacingMergeTree') {
    throw new ClusterFormError(`"${statement.slice(0, 60)}": only ReplacingMergeTree has a form for a cluster`);
  }
  const table = nameToken.name;
  const { name, path, replica } = placed(table);
  const head = `CREATE TABLE IF NOT EXISTS ${database}.${name} ${onCluster(cluster)}`;
  if (!cluster.replicated) return { text: head + statement.slice(nameToken.end), table };
  const version = tokens[engineAt + 3]?.text === '(' ? tokens[engineAt + 4]?.text : undefined;
  const engineEnd = version === undefined ? engine.end : (tokens[engineAt + 5]?.end ?? engine.end);
  const args = [quoted(path), quoted(replica), ...(version === undefined ? [] : [version])].join(', ');
  const text =
    head +
    statement.slice(nameToken.end, engine.start) +
    `ReplicatedReplacingMergeTree(${args})` +
    replicatedSettings(statement.slice(engineEnd));
  return { text, table };
}

/** The window of insert deduplication has another name for replicated tables. */
function replicatedSettings(text: string): string {
  return text.replaceAll(new RegExp(`\\b${SINGLE_WINDOW}\\s*=\\s*\\d+`, 'g'), REPLICATED_WINDOW);
}

/** Columns belong to both tables, everything else to the one with the rows. */
function alterForms(statement: string, tokens: SqlToken[], words: string[], target: ClusterTarget): string[] {
  const { database, cluster } = target;
  const nameToken = tokens[2];
  if (nameToken === undefined) throw new ClusterFormError('ALTER TABLE names no table');
  const table = nameToken.name;
  const verbs = words.flatMap((word, i) => (VERBS.has(word) ? [words[i + 1] ?? ''] : []));
  const columns = verbs.filter((what) => what === 'COLUMN').length;
  if (columns > 0 && columns < verbs.length) {
    throw new ClusterFormError(`"${statement.slice(0, 60)}": change columns in a statement of their own`);
  }
  const rest = statement.slice(nameToken.end);
  const local = `ALTER TABLE ${storageOf(table, target)}${cluster.replicated ? replicatedSettings(rest) : rest}`;
  return columns === 0 ? [local] : [local, `ALTER TABLE ${database}.${table} ${onCluster(cluster)}${rest}`];
}

const VERBS = new Set(['ADD', 'DROP', 'MODIFY', 'RENAME']);

function viewForm(
  statement: string,
  tokens: SqlToken[],
  words: string[],
  { database, cluster, nameAt }: ClusterTarget & { nameAt: number },
): string {
  const nameToken = tokens[nameAt];
  const sources = words.flatMap((word, i) => {
    const source = word === 'FROM' ? tokens[i + 1] : undefined;
    return source?.kind === 'word' ? [source] : [];
  });
  if (sources.length === 0 || nameToken === undefined || words.includes('JOIN')) {
    throw new ClusterFormError(
      `"${statement.slice(0, 60)}": a view of no table or of a join has no form for a cluster`,
    );
  }
  const parts = [`${statement.slice(0, nameToken.start)}${database}.${nameToken.name} ${onCluster(cluster)}`];
  let at = nameToken.end;
  for (const source of sources) {
    parts.push(statement.slice(at, source.start), `${database}.${source.name}`);
    at = source.end;
  }
  return parts.join('') + statement.slice(at);
}

function startsWith(words: readonly string[], start: string): boolean {
  return start.split(' ').every((word, i) => words[i] === word);
}

/** Names of our own, which hold neither quotes nor backslashes; the macros in paths neither. */
function quoted(text: string): string {
  return `'${text}'`;
}

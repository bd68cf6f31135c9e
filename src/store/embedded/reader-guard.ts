import { tokenizeSql, type SqlToken } from '../sql-tokens.js';

/** A statement that the `reader` user may not run. */
export class StatementRefused extends Error {
  override name = 'StatementRefused';
}

const STATEMENTS = new Set(['SELECT', 'WITH', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN']);
const SHOWABLE = new Set(['TABLES', 'DATABASES', 'COLUMNS', 'FIELDS', 'FULL', 'CREATE', 'INDEX', 'INDEXES']);

/** Table functions that only compute. Every other one, known to the engine or not yet written, is refused. */
const TABLE_FUNCTIONS_ALLOWED = new Set([
  'numbers',
  'numbers_mt',
  'zeros',
  'zeros_mt',
  'generateseries',
  'generate_series',
  'values',
  'primes',
  'format',
  'null',
]);

/**
 * Functions that reach outside the tables, whatever position they stand in. The engine's `readonly` refuses most table
 * functions by itself; the ordinary function `file()` and a few others it lets through (tested with engine 26.7).
 */
const FUNCTIONS_REFUSED = words(`
  file filecluster filesystem url urlcluster s3 s3cluster gcs oss cosn hdfs hdfscluster azureblobstorage
  azureblobstoragecluster remote remotesecure cluster clusterallreplicas mysql postgresql mongodb redis
  sqlite odbc jdbc ytsaurus executable input merge loop dictionary view viewexplain viewifpermitted eval
  arrowstream fuzzjson fuzzquery generaterandom mergetreeindex mergetreeprojection hascolumnintable
  catboostevaluate evalmlmethod getserversetting getserverport getmacro getclienthttpheader sleep
  sleepeachrow generateserialid icebergtruncate showcertificate hostname fullhostname fqdn serveruuid
  filesystemavailable filesystemcapacity filesystemunreserved addresstoline addresstolinewithinlines
  addresstosymbol joinget joingetornull aiclassify aiextract aigenerate aitranslate aiembed`);

/** What Grafana and people need to find their way; the rest of `system` shows queries, paths and secrets. */
const SYSTEM_TABLES = new Set(
  words(`
  one numbers numbers_mt zeros zeros_mt tables databases columns functions data_type_families formats
  time_zones parts parts_columns data_skipping_indices`),
);

export interface GuardRules {
  /** Lower case names that may not be called, in any position. */
  refusedFunctions: ReadonlySet<string>;
}

/** @param tableFunctions all table functions the running engine knows, from `system.table_functions` */
export function guardRules(tableFunctions: readonly string[]): GuardRules {
  const refused = new Set(FUNCTIONS_REFUSED);
  for (const name of tableFunctions) {
    const lower = name.toLowerCase();
    if (!TABLE_FUNCTIONS_ALLOWED.has(lower)) refused.add(lower);
  }
  return { refusedFunctions: refused };
}

/**
 * Checks one statement of the `reader` user. The second line of defence: the connection itself runs with `readonly=1`
 * and limits.
 *
 * @returns the statement put together again from the tokens understood here, without comments, so that the engine
 *   cannot read into it what was not checked
 * @throws StatementRefused or SqlTextError with a reason for a person
 */
export function guardReaderStatement(sql: string, rules: GuardRules): string {
  const tokens = tokenizeSql(sql);
  while (isSymbol(tokens.at(-1), ';')) tokens.pop();
  checkKind(tokens);
  tokens.forEach((token, i) => checkToken(token, tokens, i, rules));
  return tokens.map((token) => (token.spaced ? ` ${token.text}` : token.text)).join('');
}

function checkKind(tokens: readonly SqlToken[]): void {
  const words = tokens.filter((token) => !isSymbol(token, '('));
  const first = words[0];
  const kind = first?.kind === 'word' ? first.text.toUpperCase() : '';
  if (!STATEMENTS.has(kind)) {
    throw new StatementRefused('only SELECT, WITH, SHOW, DESCRIBE and EXPLAIN are allowed for this user');
  }
  if (kind === 'SHOW' && !SHOWABLE.has(words[1]?.text.toUpperCase() ?? '')) {
    throw new StatementRefused('SHOW is allowed for tables, databases, columns, indexes and CREATE only');
  }
}

function checkToken(token: SqlToken, tokens: readonly SqlToken[], i: number, rules: GuardRules): void {
  if (isSymbol(token, ';')) throw new StatementRefused('only one statement at a time is allowed');
  if (token.kind === 'identifier' && (token.text.includes('\\') || token.name.includes('/'))) {
    throw new StatementRefused('identifiers with a backslash or a slash are not allowed');
  }
  if (token.kind !== 'word' && token.kind !== 'identifier') return;
  const name = token.name.toLowerCase();
  if (token.kind === 'word' && (name === 'outfile' || name === 'infile')) {
    throw new StatementRefused(`${token.text.toUpperCase()} is not allowed`);
  }
  const next = tokens[i + 1];
  if (isSymbol(next, '(') && rules.refusedFunctions.has(name)) {
    throw new StatementRefused(`the function ${token.name} is not allowed`);
  }
  if (name === 'system' && isSymbol(next, '.')) {
    const table = tokens[i + 2]?.name.toLowerCase() ?? '';
    if (!SYSTEM_TABLES.has(table)) throw new StatementRefused(`system.${table} is not allowed`);
  }
}

function isSymbol(token: SqlToken | undefined, text: string): boolean {
  return token?.kind === 'symbol' && token.text === text;
}

/** A list written as plain text. */
function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

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

/** Table functions that reach outside the tables. The engine's `readonly` refuses most of them by itself. */
const TABLE_FUNCTIONS_REFUSED = words(`
  file filecluster filesystem url urlcluster s3 s3cluster gcs oss cosn hdfs hdfscluster azureblobstorage
  azureblobstoragecluster remote remotesecure cluster clusterallreplicas mysql postgresql mongodb redis
  sqlite odbc jdbc ytsaurus executable input merge loop dictionary view viewexplain viewifpermitted eval
  arrowstream fuzzjson fuzzquery generaterandom mergetreeindex mergetreeprojection`);

/**
 * Ordinary functions that read files, wait, or tell about the machine. The engine lets them through with `readonly`,
 * and they can be called without parentheses: `SELECT * APPLY file`, `arrayMap(file, ...)` (seen with engine 26.7).
 * Therefore their names may not appear at all, except in quoted texts.
 */
const FUNCTIONS_REFUSED = new Set(
  words(`
  file hascolumnintable catboostevaluate evalmlmethod getserversetting getserverport getmacro globalvariable
  getclienthttpheader sleep sleepeachrow generateserialid icebergtruncate showcertificate hostname
  fullhostname fqdn serveruuid buildid getoskernelversion tcpport zookeepersessionuptime filesystemavailable
  filesystemcapacity filesystemunreserved addresstoline addresstolinewithinlines addresstosymbol demangle
  logtrace joinget joingetornull aiclassify aiextract aigenerate aitranslate aiembed`),
);

/** What Grafana and people need to find their way; the rest of `system` shows queries, paths and secrets. */
const SYSTEM_TABLES = new Set(
  words(`
  one numbers numbers_mt zeros zeros_mt tables databases columns functions data_type_families formats
  time_zones parts parts_columns data_skipping_indices`),
);

export interface GuardRules {
  /** Lower case names that may not stand before a parenthesis. */
  refusedTableFunctions: ReadonlySet<string>;
}

/** @param tableFunctions all table functions the running engine knows, from `system.table_functions` */
export function guardRules(tableFunctions: readonly string[]): GuardRules {
  const refused = new Set(TABLE_FUNCTIONS_REFUSED);
  for (const name of tableFunctions) {
    const lower = name.toLowerCase();
    if (!TABLE_FUNCTIONS_ALLOWED.has(lower)) refused.add(lower);
  }
  return { refusedTableFunctions: refused };
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
  if (name === 'identifier' && isSymbol(tokens[i - 1], ':')) {
    throw new StatementRefused('parameters of type Identifier are not allowed: they could name any table');
  }
  const next = tokens[i + 1];
  if (FUNCTIONS_REFUSED.has(name) || (isSymbol(next, '(') && rules.refusedTableFunctions.has(name))) {
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

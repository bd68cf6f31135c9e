import type { ErasureSubject } from '../model/erasure.js';
import type { ParameterValue } from './client.js';

/** A column as the engine describes it. */
export interface TableColumn {
  table: string;
  name: string;
  type: string;
  /** Part of the order or the partition of its table: cannot be changed in place. */
  isKey: boolean;
}

/** What happens to the rows of one table. */
export interface ErasureStep {
  table: string;
  kind: 'delete' | 'blank';
  /** Which rows; over the parameters of the plan. */
  where: string;
  /** For `blank`: `column = expression` for each. */
  set: string[];
}

export interface ErasurePlan {
  params: Record<string, ParameterValue>;
  steps: ErasureStep[];
}

/** Who read whose content, and what was erased: it is what shows that data was handled as it should be. */
export const KEPT_TABLES: ReadonlySet<string> = new Set(['content_reads', 'erasures', 'schema_migrations']);
/** Rows that are of no use without the words in them. */
const WORDS_ONLY = new Set(['observations', 'payloads', 'dead_letters']);
const TEXT = /String/;
const MARK = '[erased]';

/**
 * What has to be deleted and what replaced.
 *
 * An agent's rows go as a whole; as the parent of others, and among the signals of others, it becomes `[erased]`. Of a
 * person the observations, contents and dead letters go that name them (as text, or by the keyed hash of it, which
 * prompts and results carry); what scoring said about an agent stays, with the name replaced.
 *
 * @param hash keyed hash of the person's name in its canonical form
 */
export function erasurePlan(
  { tenant, subject, hash }: { tenant: string; subject: ErasureSubject; hash: number },
  columns: readonly TableColumn[],
): ErasurePlan {
  const tables = [...new Set(columns.map(({ table }) => table))].filter((table) => !KEPT_TABLES.has(table)).sort();
  const columnsOf = (table: string) => columns.filter((column) => column.table === table);
  if ('agentId' in subject) {
    const { agentId } = subject;
    // As JSON writes it; in quotes, so that a longer id is another one.
    const quoted = JSON.stringify(agentId);
    return {
      params: { tenant, agentId, quoted, inSignals: `"agentId":${quoted}` },
      steps: tables.flatMap((table) => agentSteps(table, columnsOf(table))),
    };
  }
  return {
    params: { tenant, pattern: patternOf(subject.person), hash },
    steps: tables.flatMap((table) => personSteps(table, columnsOf(table))),
  };
}

function agentSteps(table: string, columns: readonly TableColumn[]): ErasureStep[] {
  const has = (name: string) => columns.some((column) => column.name === name);
  const steps: ErasureStep[] = [];
  const remove = (where: string) => steps.push({ table, kind: 'delete', where: `${OF_TENANT} AND ${where}`, set: [] });
  const blank = (where: string, set: string) =>
    steps.push({
      table,
      kind: 'blank',
      where: `${OF_TENANT} AND agentId != {agentId:String} AND ${where}`,
      set: [set],
    });
  if (has('agentId')) remove('agentId = {agentId:String}');
  if (has('parentAgentId')) blank('parentAgentId = {agentId:String}', `parentAgentId = '${MARK}'`);
  if (table === 'dead_letters') remove('position(excerpt, {quoted:String}) > 0');
  if (table === 'incidents') {
    const set = `signals = replaceAll(signals, {inSignals:String}, '"agentId":"${MARK}"')`;
    blank('position(signals, {inSignals:String}) > 0', set);
  }
  return steps;
}

function personSteps(table: string, columns: readonly TableColumn[]): ErasureStep[] {
  const texts = columns.filter(
    ({ name, type }) => name !== 'tenant' && TEXT.test(type) && !type.startsWith('Map(') && !isPacked(table, name),
  );
  if (WORDS_ONLY.has(table)) {
    const named = texts.map(matches);
    if (table === 'observations') {
      named.push('arrayExists(t -> t.hash = {hash:UInt32}, targets)');
      named.push(`(stream != 'metric' AND has(JSONExtract(values, 'Array(UInt32)'), {hash:UInt32}))`);
    }
    return [{ table, kind: 'delete', where: `${OF_TENANT} AND (${named.join(' OR ')})`, set: [] }];
  }
  const free = texts.filter(({ isKey }) => !isKey);
  if (free.length === 0) return [];
  const where = `${OF_TENANT} AND (${free.map(matches).join(' OR ')})`;
  return [{ table, kind: 'blank', where, set: free.map(replaced) }];
}

/** Deflated and in base64: no words, only what looks like some. */
function isPacked(table: string, column: string): boolean {
  return table === 'baseline_states' && (column === 'state' || column === 'seal');
}

const OF_TENANT = 'tenant = {tenant:String}';

/** Lists and tuples as the engine writes them. */
function matches({ name, type }: TableColumn): string {
  return `match(${isPlain(type) ? name : `toString(${name})`}, {pattern:String})`;
}

function replaced({ name, type }: TableColumn): string {
  const text = isPlain(type) ? name : `toString(${name})`;
  // Twice: two names with one blank between them share it, and a match takes it.
  const once = (inner: string) => `replaceRegexpAll(${inner}, {pattern:String}, '\\\\1${MARK}\\\\2')`;
  const done = once(once(text));
  return `${name} = ${isPlain(type) ? done : `CAST(${done}, '${type.replaceAll("'", "\\'")}')`}`;
}

function isPlain(type: string): boolean {
  return type === 'String' || type === 'LowCardinality(String)';
}

/**
 * The name as a whole, in any case: `ann@example.com` is not part of `joann@example.com`, nor of
 * `ann@example.com.au`; it may end a sentence, and begin a line, whose end is `\\n` in JSON text.
 */
function patternOf(person: string): string {
  const escaped = person.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
  return `(?i)(^|[^\\pL\\pN._%+@-]|\\\\[bfnrt])${escaped}(\\.?$|\\.?[^\\pL\\pN._@-])`;
}

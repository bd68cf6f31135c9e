/** A piece of SQL text. `name` is set for bare words and for quoted identifiers, without their quotes. */
export interface SqlToken {
  kind: 'word' | 'identifier' | 'string' | 'number' | 'symbol';
  text: string;
  name: string;
  /** True where white space or a comment stood before the token. */
  spaced: boolean;
  start: number;
  end: number;
}

/** SQL text that this tokenizer does not understand for certain, and therefore refuses. */
export class SqlTextError extends Error {
  override name = 'SqlTextError';
}

const isSpace = (c: string): boolean => c === ' ' || c === '\n' || c === '\t' || c === '\r' || c === '\f' || c === '\v';
const isDigit = (c: string): boolean => c >= '0' && c <= '9';
const isWordStart = (c: string): boolean => (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c === '_';
const isWordPart = (c: string): boolean => isWordStart(c) || isDigit(c);

/**
 * Splits SQL into tokens; comments vanish.
 *
 * Deliberately narrower than the engine's own lexer: here-documents (`$$`), `#` comments, characters outside ASCII and
 * control characters are refused outside quotes, and NUL everywhere, so that a text cannot mean one thing here and
 * another thing there.
 *
 * @throws SqlTextError naming the position
 */
export function tokenizeSql(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  if (sql.includes('\0')) throw new SqlTextError('the statement contains a NUL character');
  let at = 0;
  let spaced = false;
  const push = (kind: SqlToken['kind'], end: number, name = ''): void => {
    tokens.push({ kind, text: sql.slice(at, end), name, spaced, start: at, end });
    at = end;
    spaced = false;
  };
  while (at < sql.length) {
    const c = sql.charAt(at);
    if (isSpace(c)) {
      at++;
      spaced = true;
    } else if (c === '-' && sql.charAt(at + 1) === '-') {
      const newline = sql.indexOf('\n', at);
      at = newline === -1 ? sql.length : newline + 1;
      spaced = true;
    } else if (c === '/' && sql.charAt(at + 1) === '*') {
      at = endOfComment(sql, at);
      spaced = true;
    } else if (c === "'") {
      push('string', endOfQuoted(sql, at));
    } else if (c === '"' || c === '`') {
      const end = endOfQuoted(sql, at);
      push('identifier', end, unquote(sql.slice(at, end)));
    } else if (isWordStart(c)) {
      const end = endOfRun(sql, at);
      push('word', end, sql.slice(at, end));
    } else if (isDigit(c)) {
      push('number', endOfRun(sql, at));
    } else if (c > ' ' && c <= '~' && c !== '$' && c !== '#') {
      push('symbol', at + 1);
    } else {
      throw new SqlTextError(`unexpected character at position ${at + 1}; only plain ASCII is allowed outside quotes`);
    }
  }
  return tokens;
}

/**
 * The statements of a script, each as written, without the closing semicolon.
 *
 * @throws SqlTextError where the text cannot be tokenized
 */
export function splitStatements(script: string): string[] {
  const statements: string[] = [];
  let first: SqlToken | undefined;
  let last: SqlToken | undefined;
  const flush = (): void => {
    if (first !== undefined && last !== undefined) statements.push(script.slice(first.start, last.end));
    first = undefined;
    last = undefined;
  };
  for (const token of tokenizeSql(script)) {
    if (token.kind === 'symbol' && token.text === ';') {
      flush();
    } else {
      first ??= token;
      last = token;
    }
  }
  flush();
  return statements;
}

/** The engine lets comments nest, so a comment ends where its depth returns to zero. */
function endOfComment(sql: string, start: number): number {
  let depth = 0;
  for (let i = start; i < sql.length - 1; i++) {
    const pair = sql.slice(i, i + 2);
    if (pair === '/*') {
      depth++;
      i++;
    } else if (pair === '*/') {
      depth--;
      i++;
      if (depth === 0) return i + 1;
    }
  }
  throw new SqlTextError(`the comment at position ${start + 1} is not closed`);
}

/** Quotes are escaped by a backslash or by doubling. */
function endOfQuoted(sql: string, start: number): number {
  const quote = sql.charAt(start);
  for (let i = start + 1; i < sql.length; i++) {
    const c = sql.charAt(i);
    if (c === '\\') {
      i++;
    } else if (c === quote) {
      if (sql.charAt(i + 1) !== quote) return i + 1;
      i++;
    }
  }
  throw new SqlTextError(`the quote at position ${start + 1} is not closed`);
}

function unquote(text: string): string {
  const quote = text.charAt(0);
  return text.slice(1, -1).replaceAll(quote + quote, quote);
}

function endOfRun(sql: string, start: number): number {
  let i = start + 1;
  while (i < sql.length && isWordPart(sql.charAt(i))) i++;
  return i;
}

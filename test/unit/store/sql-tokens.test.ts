import { describe, expect, it } from 'vitest';
import { splitStatements, SqlTextError, tokenizeSql } from '../../../src/store/sql-tokens.js';

describe('tokenizeSql', () => {
  it('takes comments and white space away and keeps quotes whole', () => {
    const tokens = tokenizeSql(`SELECT /* a /* nested */ b */ 'it''s; \\' --x' -- rest\n FROM "a""b".\`c\``);
    expect(tokens.map((token) => token.text)).toEqual(['SELECT', `'it''s; \\' --x'`, 'FROM', '"a""b"', '.', '`c`']);
    expect(tokens[3]?.name).toBe('a"b');
    expect(tokens[4]?.spaced).toBe(false);
  });

  it.each([
    ['a here-document', 'SELECT $$x$$'],
    ['a hash comment', 'SELECT 1 # x'],
    ['typographic quotes', 'SELECT \u2018x\u2019'],
    ['a no-break space', 'SELECT\u00a01'],
    ['NUL, also in quotes', "SELECT 'a\0b'"],
    ['an open quote', "SELECT 'a"],
    ['a quote left open by a backslash', "SELECT 'a\\'"],
    ['an open comment', 'SELECT 1 /* a /* b */'],
  ])('refuses %s', (_what, sql) => {
    expect(() => tokenizeSql(sql)).toThrow(SqlTextError);
  });

  it('takes any text within quotes', () => {
    expect(tokenizeSql("SELECT '\u2018\u00e9$$#'").length).toBe(2);
  });
});

describe('splitStatements', () => {
  it('cuts at semicolons outside quotes and comments and drops what is empty', () => {
    expect(splitStatements("-- a; b\nCREATE TABLE a (x String DEFAULT ';');\n\n; SELECT 1 /* ; */ ;\n")).toEqual([
      "CREATE TABLE a (x String DEFAULT ';')",
      'SELECT 1',
    ]);
  });
});

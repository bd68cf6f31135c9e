import { describe, expect, it } from 'vitest';
import { guardReaderStatement, guardRules, StatementRefused } from '../../../../src/store/embedded/reader-guard.js';
import { SqlTextError } from '../../../../src/store/sql-tokens.js';
import { HARMLESS_STATEMENTS, HOSTILE_STATEMENTS } from '../../../support/hostile-statements.js';

const rules = guardRules(['newSource', 'numbers']);
/** These only the engine's `readonly` refuses: they are well-formed SELECTs. */
const LEFT_TO_THE_ENGINE = new Set([
  'changing a setting in the query',
  'changing readonly in the query',
  'a file as string table name',
]);

describe('guardReaderStatement', () => {
  it.each(HOSTILE_STATEMENTS.filter(([what]) => !LEFT_TO_THE_ENGINE.has(what)))('refuses %s', (_what, sql) => {
    let error: unknown;
    try {
      guardReaderStatement(sql, rules);
    } catch (caught) {
      error = caught;
    }
    expect(error instanceof StatementRefused || error instanceof SqlTextError).toBe(true);
  });

  it.each(HARMLESS_STATEMENTS)('lets through: %s', (sql) => {
    expect(guardReaderStatement(sql, rules)).toContain(sql.slice(0, 6));
  });

  it('refuses table functions that only the running engine knows', () => {
    expect(() => guardReaderStatement('SELECT * FROM newSource(1)', rules)).toThrow('newSource is not allowed');
    expect(guardReaderStatement('SELECT * FROM numbers(1)', rules)).toBe('SELECT * FROM numbers(1)');
  });

  it('hands on only the tokens it understood, without comments', () => {
    expect(guardReaderStatement('SELECT/* x */1 -- y\n, 2 ;', rules)).toBe('SELECT 1 , 2');
  });
});

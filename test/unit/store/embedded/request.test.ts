import { describe, expect, it } from 'vitest';
import { parseRawInsert } from '../../../../src/store/embedded/request.js';
import { engineException } from '../../../../src/store/embedded/exception.js';

const body = Buffer.from('{"a":1}\n');

describe('parseRawInsert', () => {
  it('finds table, columns and format', () => {
    expect(parseRawInsert('INSERT INTO d.`t` (a, "b")\nFORMAT JSONEachRow', body)).toEqual({
      table: 'd.t',
      columns: ['a', 'b'],
      format: 'JSONEachRow',
      body,
    });
    expect(parseRawInsert('insert into table t format tsv;', body)?.format).toBe('TabSeparated');
  });

  it('leaves other statements to the engine', () => {
    expect(parseRawInsert('SELECT 1', body)).toBeUndefined();
    expect(parseRawInsert('INSERT INTO t SELECT 1', body)).toBeUndefined();
    expect(parseRawInsert('INSERT INTO t VALUES (1)', body)).toBeUndefined();
  });

  it('refuses formats and names that cannot be passed through', () => {
    expect(() => parseRawInsert('INSERT INTO t FORMAT Native', body)).toThrow('Native is not supported');
    expect(() => parseRawInsert('INSERT INTO "a b" FORMAT CSV', body)).toThrow('not a plain name');
  });
});

describe('engineException', () => {
  it('reads code and name from what the engine says', () => {
    const error = engineException(
      new Error('Query failed: Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)'),
    );
    expect([error.status, error.code, error.codeName, error.message]).toEqual([
      404,
      60,
      'UNKNOWN_TABLE',
      'Table x does not exist.',
    ]);
  });

  it('stays an error where the engine says something else', () => {
    const error = engineException('boom');
    expect([error.status, error.code, error.body()]).toEqual([
      500,
      1002,
      'Code: 1002. DB::Exception: boom (UNKNOWN_EXCEPTION)\n',
    ]);
  });
});

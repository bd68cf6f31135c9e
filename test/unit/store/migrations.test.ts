import { expect, it } from 'vitest';
import { readMigrations } from '../../../src/store/migrate.js';

it('numbers the steps of the schema without gaps and without two of one number', () => {
  const versions = readMigrations().map(({ version }) => version);
  expect(versions.length).toBeGreaterThan(5);
  expect(versions).toEqual(versions.map((_, i) => i + 1));
});

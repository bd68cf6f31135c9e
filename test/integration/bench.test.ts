import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/recorded.js';

const results = join(repositoryRoot, 'dist', 'bench-results.json');

/** That the measure measures, not what it measures: how fast something is, no test says. */
describe.skipIf(process.platform !== 'linux')('npm run bench (skipped where there is no /proc)', () => {
  afterAll(() => rmSync(results, { force: true }));

  it('prices an event of the service and of the floor, in a table and in JSON', () => {
    const args = [join(repositoryRoot, 'dist', 'bench', 'main.js'), '--quick', '--events', '1200', '--only', 'pairs'];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 170_000 });
    expect(status).toBe(0);
    expect(stdout).toContain('| service |');
    const { pairs }: { pairs: { service: { totalUs: number }; floor: { totalUs: number } }[] } = JSON.parse(
      readFileSync(results, 'utf8'),
    );
    expect(pairs).toHaveLength(1);
    for (const { service, floor } of pairs) {
      expect(service.totalUs).toBeGreaterThan(0);
      expect(floor.totalUs).toBeGreaterThan(0);
    }
  }, 180_000);
});

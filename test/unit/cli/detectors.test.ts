import { copyFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { detectors } from '../../../src/cli/detectors.js';
import { repositoryRoot } from '../../support/recorded.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

describe('parallax detectors test', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeEach(() => {
    directory = temporaryDirectory();
    copyFileSync(join(repositoryRoot, 'detectors', 'call-rate.yaml'), join(directory.path, 'call-rate.yaml'));
  });
  afterEach(() => directory.remove());

  async function run(values: Record<string, string>): Promise<{ code: number; text: string }> {
    let text = '';
    const console = { out: (part: string) => void (text += part), err: () => {}, isTerminal: false };
    return { code: await detectors.run({ values, positionals: ['test'], env: {}, console }), text };
  }

  it('runs the detectors of a folder named from where one stands', async () => {
    const { code, text } = await run({ dir: relative(process.cwd(), directory.path) });
    expect(text).toContain(`1 detectors in ${directory.path}\n`);
    expect(code).toBe(0);
  });

  it('runs the detectors of a configured absolute folder', async () => {
    const config = join(directory.path, 'parallax.yml.txt');
    writeFileSync(config, JSON.stringify({ detection: { detectorsDir: directory.path } }));
    expect((await run({ config })).text).toContain(`1 detectors in ${directory.path}\n`);
  });
});

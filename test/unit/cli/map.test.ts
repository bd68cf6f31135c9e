import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { map } from '../../../src/cli/map.js';
import { repositoryRoot } from '../../support/recorded.js';
import { decision } from '../../support/records/opa.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const OPA = join(repositoryRoot, 'mappings', 'opa.yaml');

describe('parallax map test', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  function sample(text: string): string {
    const path = join(directory.path, 'samples.jsonl');
    writeFileSync(path, text);
    return path;
  }
  async function run(file: string, values: Record<string, string | boolean>): Promise<{ code: number; text: string }> {
    let text = '';
    const console = { out: (part: string) => void (text += part), err: () => {}, isTerminal: false };
    return { code: await map.run({ values, positionals: ['test', file], env: {}, console }), text };
  }
  const records = [
    decision(),
    decision({ input: { user: 'ann' } }),
    decision({ timestamp: 'never' }),
    decision({ input: { agent: 'evil\u001b[2J', tool: 't' } }),
  ];
  const lines = records.map((one) => JSON.stringify(one)).join('\n');

  it('shows what each record becomes, or why it is refused', async () => {
    const { code, text } = await run(OPA, { sample: sample(lines) });
    expect(code).toBe(1);
    const shown = text.split('\n');
    expect(shown[0]).toMatch(/^record +stream +kind +time +agent +session +tool +decision +id$/);
    expect(shown[1]).toMatch(
      /^0 +action +tool_call +2026-11-29T17:00:00\.123Z +travel-agent +s1 +send_mail +allow +\S+$/,
    );
    expect(text).toMatch(/^record 2: refused: time: /m);
    expect(text).toContain('not matched: record 1\n');
    expect(text).toContain('4 records: 2 observations, 1 refused, 1 not matched');
    // What an agent writes does not reach the terminal.
    expect(text).not.toContain('\u001b');
  });

  it('shows the same as JSON, a line for each record', async () => {
    const { code, text } = await run(OPA, {
      sample: sample(`[${records.map((one) => JSON.stringify(one)).join()}]`),
      json: true,
    });
    expect(code).toBe(1);
    const tried = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(tried).toMatchObject([
      { index: 0, observations: [{ tool: 'send_mail', decision: 'allow' }], refused: [] },
      { index: 1, observations: [], refused: [] },
      { index: 2, observations: [], refused: [{ field: 'time' }] },
      { index: 3, observations: [{ tool: 't' }] },
    ]);
  });

  it('says so where nothing is wrong, and where a line is no JSON', async () => {
    expect((await run(OPA, { sample: sample(JSON.stringify(decision())) })).code).toBe(0);
    const broken = await run(OPA, { sample: sample('{"a":') });
    expect(broken.text).toContain('record 0: refused: (whole record): is not valid JSON');
  });

  it('fails with the file, the line and the fix where the mapping cannot be used', async () => {
    const file = join(directory.path, 'bad.yaml');
    writeFileSync(file, 'observations:\n  - stream: action\n    kind: tool_call\n    fields:\n      tool: rec.tool\n');
    await expect(run(file, { sample: sample('{}') })).rejects.toThrow(/bad\.yaml:5: .*Unknown variable: rec/);
    await expect(run(OPA, { sample: join(directory.path, 'no') })).rejects.toThrow(/cannot be read \(ENOENT\)/);
    await expect(run(OPA, {})).rejects.toThrow(/--sample/);
  });
});

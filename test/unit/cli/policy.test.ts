import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { policy } from '../../../src/cli/policy.js';
import { loadConfig } from '../../../src/config.js';
import { loadLibrary } from '../../../src/governance/library-loader.js';
import { COMMAND_ACTIONS } from '../../../src/model/command.js';
import { responseCaseSchema } from '../../../src/respond/response-case.js';
import { repositoryRoot } from '../../support/recorded.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

let directory: ReturnType<typeof temporaryDirectory>;
let config: string;

beforeEach(() => {
  directory = temporaryDirectory();
  const baselines = join(directory.path, 'baselines');
  cpSync(join(repositoryRoot, 'baselines'), baselines, { recursive: true });
  writeFileSync(
    join(baselines, 'profiles', 'support.yaml'),
    'agents: [support-*]\nresponse:\n  revoke-session: { mode: propose, onTimeout: approve, severity: medium }\n  neverAct: [support-vip]\n',
  );
  config = join(directory.path, 'parallax.yaml');
  writeFileSync(
    config,
    `mode: act\ndetection: { baselinesDir: ${baselines} }\nrespond: { suspend-agent: { mode: off }, neverAct: [root] }\n`,
  );
});
afterEach(() => directory.remove());

async function run(positionals: string[], values: Record<string, string | boolean> = {}) {
  let text = '';
  const console = { out: (part: string) => void (text += part), err: () => {}, isTerminal: false };
  const code = await policy.run({ values: { config, ...values }, positionals, env: {}, console });
  return { code, text };
}

function write(name: string, text: string): string {
  const file = join(directory.path, name);
  writeFileSync(file, text);
  return file;
}

describe('parallax policy show', () => {
  it('prints what holds for each class, the install’s settings under it', async () => {
    const { text } = await run(['show']);
    expect(text).toMatch(/^without a person at most: 20 commands a minute, 100 of all tenants; 10 % of the agents/);
    const support = /\nsupport\n[^]*?\n\n/.exec(text)?.[0] ?? '';
    expect(support).toContain('revoke-session     waits for a person; from severity medium;');
    expect(support).toContain('asked for 60 min, then it is done');
    expect(support).toContain('suspend-agent      off');
    expect(support).toContain('never for          root, support-vip');
    expect(text).toMatch(/\ncoding\n[^]*?revoke-session +goes by itself; from severity high/);
  });

  it('prints one class, as JSON with every setting', async () => {
    const { text } = await run(['show'], { class: 'support', json: true });
    const shown = JSON.parse(text) as { mode: string; classes: Record<string, Record<string, unknown>> };
    expect(shown.mode).toBe('act');
    expect(Object.keys(shown.classes)).toEqual(['support']);
    expect(shown.classes['support']).toMatchObject({ 'revoke-session': { mode: 'propose', containMs: 3_600_000 } });
    expect(Object.keys(shown.classes['support'] ?? {})).toEqual(expect.arrayContaining([...COMMAND_ACTIONS]));
  });

  it('knows no class that is not there', async () => {
    await expect(run(['show'], { class: 'nobody' })).rejects.toThrow('there is no class nobody; there are coding,');
  });
});

describe('parallax policy test', () => {
  const ladderOf = async (text: string, values: Record<string, string | boolean> = {}) => {
    const { text: out } = await run(['test'], { file: write('case.yaml', text), json: true, ...values });
    const { ladder } = JSON.parse(out) as { ladder: { rung: string; outcome: string; why: string; held?: string }[] };
    return ladder;
  };

  it('says for each rung what would be done, by the policy of the agent’s class', async () => {
    const ladder = await ladderOf('{ agentId: support-1, severity: medium }');
    expect(ladder.map(({ rung, outcome }) => [rung, outcome])).toEqual([
      ['alert', 'tell'],
      ['downgrade-posture', 'none'],
      ['freeze-tool', 'none'],
      ['revoke-session', 'propose'],
      ['suspend-agent', 'none'],
    ]);
    const other = await ladderOf('{ agentId: coder-1, severity: medium }');
    expect(other[3]).toMatchObject({ outcome: 'none', why: 'severity medium is below high' });
    expect((await ladderOf('{ agentId: coder-1, severity: medium }', { class: 'support' }))[3]?.outcome).toBe(
      'propose',
    );
  });

  it('says why nothing goes by itself', async () => {
    const held = async (text: string) => (await ladderOf(`{ agentId: coder-1, severity: high, ${text} }`))[3]?.held;
    expect(await held('emitters: 1')).toBe('the evidence is from 1 of 2 emitters');
    expect(await held('mode: observe')).toBe('observe-only: not sent');
    expect(await held('commandsLastMinute: 20')).toBe('blast-radius cap: 20 commands were sent within a minute');
    expect(await held('contained: 6, known: 60')).toBe('blast-radius cap: 6 of 60 agents are contained already');
    expect(await held('contained: 6, known: 61, isContained: true')).toBeUndefined();
    expect(await held('sharedBehaviour: all call audit_note')).toBe('all call audit_note');
    expect(await held('containments: { revoke-session: 3 }')).toBe('cool-down: contained 3 times within 24 h');
    expect(await held('agentClass: support, liftedAgoMs: { revoke-session: 1000 }')).toBe(
      'cool-down: a person lifted this 1 s ago',
    );
    expect((await ladderOf('{ agentId: root, severity: high }'))[3]?.held).toBe('the agent is on the never-act list');
  });

  it('takes its own JSON again', async () => {
    const first = await run(['test'], { file: write('case.yaml', '{ agentId: coder-1, severity: high }'), json: true });
    const second = await run(['test'], { file: write('again.json', first.text), json: true });
    expect(JSON.parse(second.text)).toEqual(JSON.parse(first.text));
  });

  it('names file and field of a mistake', async () => {
    const refused = (text: string) => run(['test'], { file: write('case.yaml', text) });
    await expect(refused('agentId: a')).rejects.toThrow(/case\.yaml: severity: is missing; it must be one of low/);
    await expect(refused('{ severity: high, emitter: 2 }')).rejects.toThrow(/case\.yaml: emitter: is no field/);
    await expect(refused('{ severity: [')).rejects.toThrow(/case\.yaml: cannot be read/);
    await expect(run(['test'])).rejects.toThrow('say "parallax policy show"');
    await expect(run(['show', 'this'])).rejects.toThrow('say "parallax policy show"');
  });
});

describe('docs/response.md', () => {
  const page = readFileSync(join(repositoryRoot, 'docs', 'response.md'), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n# ([^\n]+)\n([^]*?)```/g)].map(([, title = '', text = '']) => ({
    title,
    text,
  }));

  it('shows settings that load', () => {
    const settings = blocks.filter(({ title }) => title === 'in the configuration');
    expect(settings).toHaveLength(2);
    for (const { text } of settings) {
      const wanted = parseYaml(text) as { respond: Record<string, unknown> };
      expect(loadConfig(write('documented.yaml', text), {}).respond).toMatchObject(wanted.respond);
    }
  });

  it('shows a profile that loads', () => {
    const profiles = blocks.filter(({ title }) => title.startsWith('baselines/profiles/'));
    expect(profiles).toHaveLength(1);
    for (const { title, text } of profiles) {
      const folder = join(directory.path, 'documented');
      mkdirSync(join(folder, 'profiles'), { recursive: true });
      writeFileSync(join(folder, title.replace('baselines/', '')), text);
      const wanted = parseYaml(text) as { response: unknown };
      expect(loadLibrary(folder).profileOf('payments-7').response).toMatchObject(wanted.response as object);
    }
  });

  it('names every setting of a rung and every field of a case, and shows what a case gives', async () => {
    const whole = loadConfig(undefined, {}).respond;
    for (const setting of Object.keys(whole['downgrade-posture'])) expect(page).toContain(setting);
    for (const setting of [...Object.keys(whole.coolDown), ...Object.keys(whole.caps)]) expect(page).toContain(setting);
    const given = blocks.find(({ title }) => title === 'a case')?.text ?? '';
    const shown = Object.keys(parseYaml(given) as object);
    const unused = Object.keys(responseCaseSchema.shape).filter((field) => !shown.includes(field));
    expect(unused).toEqual(['agentClass', 'sharedBehaviour']);
    for (const field of unused) expect(page).toContain(`\`${field}\``);
    const plain = write('plain.yaml', 'mode: observe\n');
    const { text } = await run(['test'], { config: plain, file: write('case.yaml', given) });
    expect(page).toContain(`\`\`\`\n${text}\`\`\``);
  });
});

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libraryOfCase, LibraryError, loadLibrary } from '../../../src/governance/library-loader.js';
import { repositoryRoot } from '../../support/recorded.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
  mkdirSync(join(directory.path, 'profiles'));
});
afterEach(() => directory.remove());

const write = (name: string, text: string) => writeFileSync(join(directory.path, name), text);
const problems = (): readonly string[] => {
  try {
    loadLibrary(directory.path);
  } catch (error) {
    if (error instanceof LibraryError) return error.problems.map((line) => line.replace(`${directory.path}/`, ''));
    throw error;
  }
  return [];
};

describe('the shipped library', () => {
  const library = loadLibrary(join(repositoryRoot, 'baselines'));

  it('has the five classes and the default one', () => {
    expect(library.classes).toEqual([
      'coding',
      'data-analyst',
      'finance-operations',
      'infrastructure-remediation',
      'support',
      'default',
    ]);
    const agents = ['support-7', 'finops-eu-2', 'coder-1', 'analyst-9', 'infra-a', 'agent-banking', 'support'];
    expect(agents.map((agent) => library.classOf(agent))).toEqual([
      'support',
      'finance-operations',
      'coding',
      'data-analyst',
      'infrastructure-remediation',
      'default',
      'default',
    ]);
  });

  it('presumes nothing of agents it does not know', () => {
    const entry = library.entryFor('agent-banking', 'payments.wire');
    expect([entry.tool, entry.declared, entry.grantRequired]).toEqual([undefined, false, false]);
    expect(library.profileOf('agent-banking').approvers).toEqual([]);
  });

  it('requires a grant where the profile or the tier says so, and finds the most particular line', () => {
    expect(library.entryFor('finops-1', 'payments.wire')).toMatchObject({ grantRequired: true, declared: true });
    expect(library.entryFor('finops-1', 'suppliers.change_account')).toMatchObject({ grantRequired: true });
    expect(library.entryFor('finops-1', 'payments.schedule')).toMatchObject({ grantRequired: false });
    expect(library.entryFor('support-1', 'crm.update_name').tool?.tier).toBe('pre-approved');
    expect(library.entryFor('support-1', 'crm.update_name')).toMatchObject({ grantRequired: false });
    expect(library.entryFor('analyst-1', 'crm.update_name')).toMatchObject({ grantRequired: true });
    expect(library.entryFor('coder-1', 'repo.rewrite_history').tool?.tier).toBe('prohibited');
  });
});

describe('a library of one’s own', () => {
  it('may be empty', () => {
    const library = loadLibrary(join(directory.path, 'nothing'));
    expect(library.classes).toEqual(['default']);
    expect(library.classOf('anybody')).toBe('default');
  });

  it('takes the first class by file name', () => {
    write('profiles/b.yaml', 'agents: [x-*]');
    write('profiles/a.yaml', 'agents: [x-1*]');
    const library = loadLibrary(directory.path);
    expect(['x-1', 'x-10', 'x-2'].map((agent) => library.classOf(agent))).toEqual(['a', 'a', 'b']);
  });

  it('keeps answering the same when agents come in floods', () => {
    write('profiles/a.yaml', 'agents: [a-*]\nneedsGrant: [t*]');
    const library = loadLibrary(directory.path);
    for (let i = 0; i < 40_000; i++) library.entryFor(`${i % 2 === 0 ? 'a' : 'b'}-${i}`, `tool-${i}`);
    expect(library.classOf('a-0')).toBe('a');
    expect(library.entryFor('a-0', 't1').grantRequired).toBe(true);
    expect(library.entryFor('b-0', 't1').grantRequired).toBe(false);
  });

  it('names file, line, field and fix of every problem at once', () => {
    write('tools.yaml', 'tools:\n  - { name: x, tier: forbidden }\n  - { name: "a*b", tier: prohibited }');
    write('profiles/one.yaml', 'agents: [one-*]\nneedGrant: [x]\nbudgets: { costUsdPerSession: -1 }');
    write('profiles/two.yaml', 'tools: [x]');
    write('profiles/default.yaml', 'agents: [x]');
    write('profiles/three.yaml', 'agents: [');
    write('profiles/four.yml', 'agents: [x]');
    expect(problems()).toEqual([
      'tools.yaml:2: tools.0.tier: must be one of autonomous, pre-approved, approval, prohibited',
      'tools.yaml:3: tools.1.name: has a "*" that is not at its end; only a trailing "*" is a wildcard',
      'profiles/four.yml: rename it to end in .yaml',
      'profiles/default.yaml: agents: remove them; this class takes every agent that no other profile names',
      'profiles/one.yaml:3: budgets.costUsdPerSession: is too small; the least is 0, got the number -1',
      'profiles/one.yaml:2: needGrant: is no field here; remove it, or see docs/reference-library.md for the fields there are',
      expect.stringMatching(/^profiles\/three\.yaml:\d: not valid YAML/),
      'profiles/two.yaml: agents: is missing; list the agents of this class, for example [two-*]',
    ]);
  });

  it('of a case holds for every agent', () => {
    const library = libraryOfCase({ tools: [{ name: 'x', tier: 'prohibited' }] });
    expect(library.entryFor('anybody', 'x').tool?.tier).toBe('prohibited');
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DetectorError, loadDetectors, parseDetectors } from '../../../src/detect/loader.js';
import { detectorText, MEASURES, setOf } from './detector-text.js';
import type { DetectorText } from './detector-text.js';

function problemsOf(...files: { file: string; text: string }[]): string[] {
  try {
    parseDetectors(files, MEASURES);
  } catch (error) {
    if (error instanceof DetectorError) return error.message.split('\n');
    throw error;
  }
  return [];
}

function changed(change: (text: string) => string, options: Partial<DetectorText> = {}): string[] {
  return problemsOf({ file: 'detectors/some-id.yaml', text: change(detectorText({ id: 'some-id', ...options })) });
}

describe('a file that is refused says where and what to write', () => {
  it.each<[string, (text: string) => string, string]>([
    [
      'an unknown field',
      (t) => t.replace('severity:', 'severty:'),
      'detectors/some-id.yaml:9: severty: unknown field; did you mean "severity"?',
    ],
    ['a missing field', (t) => t.replace(/^severity.*\n/m, ''), 'severity: is required'],
    [
      'another id than the file',
      (t) => t.replace('id: some-id', 'id: other'),
      'detectors/some-id.yaml:1: id: must be the file\'s name; write "some-id" or rename the file to other.yaml',
    ],
    [
      'an id that is no name',
      (t) => t.replace('id: some-id', 'id: Some_Id'),
      'write lower-case words joined by dashes',
    ],
    [
      'a wrong lane',
      (t) => t.replace('lane: event', 'lane: events'),
      'lane: Invalid option: expected one of "event"|"window"',
    ],
    ['a wrong kind of observation', (t) => t.replace('[tool_call]', '[tool_cal]'), 'observes.0: Invalid option'],
    ['no kinds in the event lane', (t) => t.replace(/^observes.*\n/m, ''), 'observes: is required in the event lane'],
    [
      'kinds in the window lane',
      (t) => t.replace('lane: event', 'lane: window'),
      'observes: belongs to the event lane',
    ],
    [
      'a bad condition',
      (t) => t.replace('when: "true"', 'when: tol == "x"'),
      'some-id.yaml:6: when: unknown variable "tol"; did you mean "tool"?',
    ],
    ['an unknown kind', (t) => `kind: mesure\n${t}`, 'kind: unknown kind "mesure"; did you mean "measure"?'],
    [
      'an unknown measure',
      (t) => t.replace('{ nats: 2 }', '{ measure: newTargets, cap: 3 }').replace(/^(?:observed|expected).*\n/gm, ''),
      'evidence.measure: unknown measure "newTargets"; did you mean "newTarget"?',
    ],
    [
      'a measure without cap',
      (t) => t.replace('{ nats: 2 }', '{ measure: newTarget }'),
      'evidence.cap: goes with measure',
    ],
    [
      'two kinds of evidence',
      (t) => t.replace('{ nats: 2 }', '{ nats: 2, violation: true }'),
      'evidence: give exactly one of',
    ],
    ['no evidence', (t) => t.replace('{ nats: 2 }', '{}'), 'evidence: give exactly one of'],
    ['endless evidence', (t) => t.replace('{ nats: 2 }', '{ nats: 1000 }'), 'evidence.nats: Too big'],
    [
      'evidence beyond its p-value',
      (t) => t.replace('{ nats: 2 }', '{ nats: 4, pValue: 0.05 }'),
      'evidence.nats: is more than the p-value supports; write 3.00 or less',
    ],
    [
      'a measure that brings its own words',
      (t) => t.replace('{ nats: 2 }', '{ measure: newTarget, cap: 3 }'),
      'observed: comes from the measure; leave it out',
    ],
    ['a tag from elsewhere', (t) => t.replace('[ASI02]', '[ASI11]'), 'tags.0: write an OWASP agentic id'],
    ['a wrong cooldown', (t) => `cooldown: window\n${t}`, 'cooldown: the event lane knows call and session'],
    [
      'an unknown placeholder',
      (t) => t.replace('{tool}', '{tol}'),
      'reason: unknown placeholder {tol}; did you mean "tool"?',
    ],
    ['an open placeholder', (t) => t.replace('{tool}', '{tool'), 'reason: has a "{" without "}"'],
    [
      'no case that is silent',
      (t) => t.replace(/^.*it is silent.*\n/m, ''),
      'cases: add at least one case with expect: silent',
    ],
    ['two cases of one name', (t) => t.replace('it is silent', 'it fires'), 'two cases are named "it fires"'],
    [
      'an unknown event',
      (t) => t.replace('{ call: x }', '{ cal: x }'),
      'cases.0.events.0.type: start with one of: prompt, say',
    ],
    [
      'an unknown field of an event',
      (t) => t.replace('{ call: x }', '{ call: x, efect: write }'),
      'cases.0.events.0.efect: unknown field; did you mean "effect"?',
    ],
    [
      'a case that fires beyond its end',
      (t) => t.replace('expect: fires', 'expect: fires, at: 2'),
      'cases.0.at: names the event that fires',
    ],
    ['broken YAML', (t) => `${t}\n  - {`, 'not valid YAML'],
    ['a field twice', (t) => `${t}\nid: some-id\n`, 'not valid YAML: Map keys must be unique'],
    ['a list', () => '- a\n- b\n', 'must hold one detector'],
    ['absurd nesting', () => '['.repeat(200_000), 'YAML'],
    ['nothing', () => '', 'must hold one detector'],
    ['too much', (t) => `${t}#${'x'.repeat(300_000)}`, 'longer than 262144 characters'],
    [
      'an alias bomb',
      () =>
        `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
      'not usable YAML',
    ],
  ])('%s', (_, change, expected) => {
    expect(changed(change).join('\n')).toContain(expected);
  });

  it('lists all problems of all files and loads none of them', () => {
    const problems = problemsOf(
      { file: 'good.yaml', text: detectorText({ id: 'good' }) },
      { file: 'one.yaml', text: detectorText({ id: 'one', when: 'tol == "x" && sesion.calls > 1' }) },
      {
        file: 'two.yaml',
        text: detectorText({ id: 'two', when: 'tool.matches("x")' }).replace('severity: low', 'severity: bad'),
      },
    );
    expect(problems).toHaveLength(4);
    expect(problems.filter((line) => line.startsWith('one.yaml:6: when: unknown variable'))).toHaveLength(2);
    expect(problems.filter((line) => line.startsWith('two.yaml'))).toHaveLength(2);
    expect(problems.join('\n')).toContain('regular expressions are refused');
  });
});

describe('the hash of a set', () => {
  const hash = (...detectors: DetectorText[]) => setOf(...detectors).hash;

  it('does not depend on the order of files, nor on comments', () => {
    expect(hash({ id: 'a' }, { id: 'b' })).toBe(hash({ id: 'b' }, { id: 'a' }));
    const commented = parseDetectors([{ file: 'a.yaml', text: `# why\n${detectorText({ id: 'a' })}` }], MEASURES);
    expect(commented.hash).toBe(hash({ id: 'a' }));
  });

  it('changes with what a detector does', () => {
    expect(hash({ id: 'a', when: 'session.calls > 1' })).not.toBe(hash({ id: 'a', when: 'session.calls > 2' }));
    expect(hash({ id: 'a' })).not.toBe(hash({ id: 'a', extra: 'shadow: true' }));
  });
});

describe('a directory', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'detectors-'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('gives its detectors by id, and leaves other files alone', () => {
    writeFileSync(join(directory, 'b.yaml'), detectorText({ id: 'b' }));
    writeFileSync(join(directory, 'a.yaml'), detectorText({ id: 'a' }));
    writeFileSync(join(directory, 'README.md'), 'not a detector');
    writeFileSync(join(directory, '.hidden.yaml'), 'not a detector');
    expect(loadDetectors(directory, MEASURES).detectors.map(({ definition }) => definition.id)).toEqual(['a', 'b']);
  });

  it('is refused when it is not there, or a file has the wrong ending, or cannot be read', () => {
    expect(() => loadDetectors(join(directory, 'none'), MEASURES)).toThrow(/ENOENT.*set detection.detectorsDir/);
    writeFileSync(join(directory, 'a.yml'), detectorText({ id: 'a' }));
    expect(() => loadDetectors(directory, MEASURES)).toThrow(/a\.yml: \(whole file\): rename it to end in \.yaml/);
    rmSync(join(directory, 'a.yml'));
    mkdirSync(join(directory, 'a.yaml'));
    expect(() => loadDetectors(directory, MEASURES)).toThrow(/EISDIR/);
  });

  it('may be empty', () => {
    expect(loadDetectors(directory, MEASURES).detectors).toEqual([]);
  });
});

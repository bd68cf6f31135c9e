import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_LEARNING, LearningError, loadLearning } from '../../../src/baseline/learning.js';
import { repositoryRoot } from '../../support/recorded.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const directory = temporaryDirectory();
const file = join(directory.path, 'learning.yaml');
afterEach(() => writeFileSync(file, ''));
afterAll(directory.remove);

function problemsOf(text: string): readonly string[] {
  writeFileSync(file, text);
  try {
    loadLearning(file);
  } catch (error) {
    if (error instanceof LearningError) return error.problems;
    throw error;
  }
  return [];
}

describe('learning.yaml', () => {
  const shipped = join(repositoryRoot, 'baselines', 'learning.yaml');

  it('is shipped with every setting, and the defaults are what it says', () => {
    expect(loadLearning(shipped)).toEqual(DEFAULT_LEARNING);
    expect(parse(readFileSync(shipped, 'utf8'))).toEqual(DEFAULT_LEARNING);
  });

  it('may leave everything out', () => {
    expect(loadLearning(join(directory.path, 'nothing.yaml'))).toEqual(DEFAULT_LEARNING);
    writeFileSync(file, 'quarantine: { days: 3 }\n');
    expect(loadLearning(file)).toEqual({
      ...DEFAULT_LEARNING,
      quarantine: { ...DEFAULT_LEARNING.quarantine, days: 3 },
    });
  });

  it.each([
    ['drift:\n  tolerence: 0.1\n', `${file}:2: drift.tolerence: is no field here; remove it, or see docs/`],
    ['quarantine:\n  incidents: 9\n  days: soon\n', `${file}:3: quarantine.days: must be a finite number; got text`],
    ['warmUp: { sessions: 0 }\n', `${file}:1: warmUp.sessions: is too small; the least is 1`],
    ['drift: { referenceSessions: 5 }\n', `${file}:1: drift.referenceSessions: is too small; the least is 16`],
    ['publish: [25]\n', `${file}:1: publish: must be an object; got an array`],
    ['publish: {\n', `${file}:2: not valid YAML`],
  ])('%j is refused by name', (text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(problem)]);
  });
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MEASURES } from '../../src/baseline/measures.js';
import { loadConfig } from '../../src/config.js';
import { runDetectorCases } from '../../src/detect/cases.js';
import { loadDetectors } from '../../src/detect/loader.js';
import { openCaseWorld } from '../../src/trial.js';
import { repositoryRoot } from '../support/recorded.js';

// The shipped detectors on the real stages: intake, log, join, baselines, the lot.
const set = loadDetectors(join(repositoryRoot, 'detectors'), MEASURES);
const config = loadConfig(undefined, {});

describe('the shipped detectors', () => {
  it('are there, each with cases on both sides', () => {
    expect(set.detectors.length).toBeGreaterThanOrEqual(8);
    for (const { definition } of set.detectors) {
      const expected = definition.cases.map((one) => one.expect);
      expect([definition.id, expected.includes('fires'), expected.includes('silent')]).toEqual([
        definition.id,
        true,
        true,
      ]);
    }
  });

  it.each(set.detectors.map(({ definition }) => [definition.id, definition] as const))('%s', async (_, definition) => {
    const results = await runDetectorCases(definition, (library) => openCaseWorld(config, library));
    expect(results.filter((result) => !result.passed).map((result) => `${result.case}: ${result.message}`)).toEqual([]);
    expect(results).toHaveLength(definition.cases.length);
  });
});

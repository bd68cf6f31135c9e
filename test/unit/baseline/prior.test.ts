import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadPrior, parsePrior } from '../../../src/baseline/prior.js';
import { toolSurprise } from '../../../src/baseline/tool-expectation.js';
import { repositoryRoot } from '../../support/recorded.js';
import { prior } from '../../support/office.js';

describe('the prior', () => {
  it('says what it was fitted on, and fits better than a constant', () => {
    expect(prior.provenance.data).toContain('TRAIN');
    expect(prior.provenance.crossValidatedLogLoss).toBeLessThan(prior.provenance.constantLogLoss);
  });

  it('names file, field and fix', () => {
    const broken = structuredClone(prior) as unknown as { toolExpectation: { bias: unknown } };
    broken.toolExpectation.bias = 'high';
    expect(() => parsePrior(broken, 'prior.json')).toThrow(/prior\.json: toolExpectation\.bias .*refit/);
    expect(() => parsePrior({ ...prior, extra: 1 }, 'prior.json')).toThrow(/extra/);
    expect(() => loadPrior(join(repositoryRoot, 'no-such.json'))).toThrow(/no-such\.json/);
  });

  it('expects tools that similar requests used, and tools that are named', () => {
    const surprise = (near: number, name: number, best: number) =>
      toolSurprise(prior.toolExpectation, { near, name, best });
    expect(surprise(0.9, 0, 0.9)).toBeLessThan(surprise(0.1, 0, 0.9));
    expect(surprise(0.1, 1, 0)).toBeLessThan(surprise(0.1, 0, 0));
    expect(surprise(0, 0, 1)).toBeGreaterThan(2);
  });
});

import { describe, expect, it } from 'vitest';
import { sessionOutcome } from '../../../src/correlate/session-outcome.js';
import { sampleIncident } from '../../support/samples.js';

describe('sessionOutcome', () => {
  it('learns what was never flagged', () => {
    expect(sessionOutcome('', undefined)).toBe('learn');
  });

  it('does what a person said, and waits for it where nobody has', () => {
    const judged = (verdict: 'true-positive' | 'false-positive' | 'benign-expected') =>
      sessionOutcome('inc_1', sampleIncident({ status: 'closed', verdict }));
    expect([judged('true-positive'), judged('false-positive'), judged('benign-expected')]).toEqual([
      'discard',
      'learn',
      'learn',
    ]);
    expect(sessionOutcome('inc_1', sampleIncident())).toEqual({ quarantine: 'inc_1' });
  });

  it('never learns a flagged session because its incident was forgotten', () => {
    expect(sessionOutcome('inc_1', undefined)).toBe('discard');
  });
});

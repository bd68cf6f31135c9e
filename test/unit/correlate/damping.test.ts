import { describe, expect, it } from 'vitest';
import { Correlator, type Evidence } from '../../../src/correlate/correlator.js';
import type { Damping } from '../../../src/correlate/damping.js';
import { sampleSignal } from '../../support/samples.js';

const SUBJECT = { tenant: 'default', agentId: 'agent-a', sessionId: 's1' };
const THRESHOLD = { nats: 5, budget: 0.01, groups: 120 };
/** A shift that explains everything about `audit_note` and the findings of one detector. */
const DAMPING: Damping = {
  call: ({ cause, toolNats, argumentNats }) =>
    cause === 'tool:audit_note' ? { nats: toolNats + argumentNats, shiftId: 'inc_shift' } : undefined,
  signal: ({ detectorId }) => (detectorId === 'session-shape' ? 'inc_shift' : undefined),
};

function correlator(): Correlator {
  return new Correlator({ capacity: 100, maxIncidents: 100, load: () => undefined, timeline: () => [] });
}

function evidence(change: Partial<Evidence> = {}): Evidence {
  return { subject: SUBJECT, causeId: 'o1', time: 1_000, callTerms: [], signals: [], threshold: THRESHOLD, ...change };
}

/** A call of 9 nats, 7 of which are the tool and its words. */
const note = (cause = 'tool:audit_note'): Partial<Evidence> => ({
  callTerms: [{ label: 'tool', nats: 9 }],
  novel: { cause, nats: 9, toolNats: 4, argumentNats: 3, words: [], wordCount: 0 },
});

describe('damped risk', () => {
  it('opens no incident for what peers explain, and remembers which shift it was', () => {
    const subject = correlator();
    const result = subject.observe(evidence({ ...note(), damping: DAMPING }));
    expect(result).toEqual({ riskNats: 9, opened: false, shiftId: 'inc_shift' });
    expect(subject.riskOf(SUBJECT)?.shiftId).toBe('inc_shift');
  });

  it('opens one for another cause, for a call that nothing explains, and for a broken invariant', () => {
    const damping = DAMPING;
    expect(correlator().observe(evidence({ ...note('tool:other'), damping })).opened).toBe(true);
    expect(correlator().observe(evidence({ callTerms: [{ label: 'tool', nats: 9 }], damping })).opened).toBe(true);
    const broken = [sampleSignal({ violation: true, nats: 0 })];
    expect(correlator().observe(evidence({ ...note(), signals: broken, damping })).opened).toBe(true);
  });

  it('opens one when a later call of less risk is not explained', () => {
    const subject = correlator();
    subject.observe(evidence({ ...note(), damping: DAMPING }));
    const later = subject.observe(
      evidence({ causeId: 'o2', callTerms: [{ label: 'tool', nats: 6 }], damping: DAMPING }),
    );
    expect(later.opened).toBe(true);
    expect(later.shiftId).toBeUndefined();
  });

  it('opens one when the shift explains nothing any more', () => {
    const subject = correlator();
    subject.observe(evidence({ ...note(), damping: DAMPING }));
    expect(subject.observe(evidence({ causeId: 'o2', callTerms: [{ label: 'tool', nats: 1 }] })).opened).toBe(true);
  });

  it('explains an incident from before the shift, until more is found', () => {
    const subject = correlator();
    const { incident } = subject.observe(evidence(note()));
    if (incident === undefined) throw new Error('no incident');
    expect(subject.isExplained(incident, DAMPING)).toBe(true);
    const more = subject.observe(
      evidence({ causeId: 'o2', callTerms: [{ label: 'tool', nats: 10 }], damping: DAMPING }),
    );
    expect(more.shiftId).toBeUndefined();
    expect(more.incident !== undefined && subject.isExplained(more.incident, DAMPING)).toBe(false);
  });

  it('explains signals of listed detectors only', () => {
    const signals = [
      sampleSignal({ detectorId: 'session-shape', ingredient: false, nats: 3, streams: ['action'] }),
      sampleSignal({ id: 'sig_2', detectorId: 'other', ingredient: false, nats: 3, streams: ['metric'] }),
    ];
    const both = correlator().observe(evidence({ signals, damping: DAMPING }));
    expect(both).toMatchObject({ riskNats: 6, opened: false, shiftId: 'inc_shift' });
    expect(correlator().observe(evidence({ signals })).opened).toBe(true);
  });

  it('tells only so many calls apart: a further one counts in full', () => {
    const subject = correlator();
    for (let i = 0; i < 8; i++) subject.observe(evidence({ ...note(), causeId: `o${i}`, damping: DAMPING }));
    expect(subject.observe(evidence({ ...note(), causeId: 'o9', damping: DAMPING })).opened).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { Correlator, ORDER_PREFIX, type Evidence, type IncidentPlace } from '../../../src/correlate/correlator.js';
import { severityOf, STREAM_CAP_NATS } from '../../../src/correlate/risk.js';
import type { Incident } from '../../../src/model/incident.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { sampleSignal } from '../../support/samples.js';
import { StoredState } from '../../support/stored-state.js';

function correlator(held = new Map<string, Uint8Array>()): Correlator {
  return new Correlator({
    capacity: 1_000,
    maxIncidents: 100,
    load: (key) => held.get(key),
    timeline: (positions) => positions.map((p) => ({ time: p, stream: 'action', text: `at ${p}`, refId: `o${p}` })),
  });
}

function call(nats: number) {
  return [
    { label: 'tool not expected for this request', nats: nats - 1 },
    { label: 'stakes of a write', nats: 1 },
  ];
}

function evidence(change: Partial<Evidence> = {}): Evidence {
  return {
    subject: { tenant: 'default', agentId: 'agent-a', sessionId: 's1' },
    causeId: 'obs_1',
    time: 1_000,
    seq: 4,
    position: 11,
    callTerms: call(2),
    signals: [],
    threshold: { nats: 5, budget: 0.01, groups: 120 },
    ...change,
  };
}

describe('Correlator', () => {
  it('opens one incident per session when the risk crosses the threshold', () => {
    const subject = correlator();
    expect(subject.observe(evidence()).incident).toBeUndefined();
    const crossed = subject.observe(
      evidence({ causeId: 'obs_2', seq: 6, callTerms: call(6), signals: [sampleSignal()] }),
    );
    expect(crossed.opened).toBe(true);
    expect(crossed.incident).toMatchObject({ riskNats: 6, openedSeq: 6, emitters: ['gateway-1', 'runtime-1'] });
    const worse = subject.observe(
      evidence({ causeId: 'obs_3', seq: 8, callTerms: call(9), signals: [sampleSignal({ id: 'sig_2' })] }),
    );
    expect(worse.opened).toBe(false);
    expect(worse.incident).toMatchObject({ id: crossed.incident?.id, riskNats: 9, openedSeq: 6 });
    expect(subject.incidents()).toHaveLength(1);
  });

  it('sees no risk where there is no evidence, however low the threshold', () => {
    const subject = correlator();
    const threshold = { nats: -4, budget: 0.01, groups: 120 };
    const nothing = subject.observe(evidence({ callTerms: [], threshold }));
    expect(nothing).toEqual({ riskNats: 0, opened: false });
    // Nor does the empty beginning hide how the first call compares.
    expect(subject.observe(evidence({ callTerms: call(-3), threshold })).opened).toBe(true);
    expect(subject.riskOf(evidence().subject)?.peakNats).toBe(-3);
  });

  it('shows what came before the threshold was crossed, the strongest of each detector, also after a restart', () => {
    const held = new Map<string, Uint8Array>();
    const early = (detectorId: string, nats: number, change = {}) =>
      evidence({
        causeId: `${detectorId} ${nats}`,
        callTerms: [],
        signals: [sampleSignal({ detectorId, nats, ingredient: true, emitters: [`of-${detectorId}`], ...change })],
      });
    let subject = correlator(held);
    expect(subject.observe(early('loop', 2)).incident).toBeUndefined();
    subject.observe(early('loop', 3, { ingredient: false }));
    subject.observe(early('hidden', 9, { shadow: true }));
    for (const weak of ['a', 'b', 'c', 'd', 'e', 'f']) subject.observe(early(weak, weak === 'a' ? 0.1 : 1));
    const puts: { key: string; value: Uint8Array }[] = [];
    subject.drain(puts, []);
    for (const { key, value } of puts) held.set(key, value);
    subject = correlator(held);
    const { incident } = subject.observe(
      evidence({ causeId: 'obs_9', callTerms: call(6), signals: [sampleSignal({ detectorId: 'last' })] }),
    );
    const names = ['loop', 'b', 'c', 'd', 'e', 'f', 'last'];
    expect(incident?.signals.map(({ detectorId }) => detectorId)).toEqual(names);
    expect(incident?.signals[0]?.nats).toBe(3);
    // What only explained a call that did not matter brings no second emitter.
    expect(incident?.emitters).toEqual(['of-loop', 'gateway-1', 'runtime-1']);
    expect(subject.riskOf(evidence().subject)?.earlier).toBeUndefined();
  });

  it('does not alarm at the threshold itself', () => {
    expect(correlator().observe(evidence({ callTerms: call(5) })).incident).toBeUndefined();
  });

  it('gives the same id to the same cause', () => {
    const id = () => correlator().observe(evidence({ callTerms: call(7) })).incident?.id;
    expect(id()).toBe(id());
  });

  it('adds up exactly what it shows', () => {
    const own = sampleSignal({ ingredient: false, nats: 2, streams: ['reasoning'] });
    const { incident } = correlator().observe(evidence({ callTerms: call(4), signals: [own] }));
    expect(incident?.arithmetic.reduce((sum, term) => sum + term.nats, 0)).toBeCloseTo(incident?.riskNats ?? 0, 12);
    expect(incident?.riskNats).toBeCloseTo(6, 12);
  });

  it('lets no single stream convict alone by repetition', () => {
    const subject = correlator();
    for (let i = 0; i < 50; i++) {
      const noisy = sampleSignal({ id: `sig_${i}`, ingredient: false, nats: 2, streams: ['metric'] });
      const result = subject.observe(evidence({ causeId: `obs_${i}`, callTerms: call(0), signals: [noisy] }));
      expect(result.riskNats).toBeLessThanOrEqual(STREAM_CAP_NATS);
      expect(result.incident).toBeUndefined();
    }
  });

  it('keeps the cause of an incident through any amount of noise after it', () => {
    const subject = correlator();
    subject.observe(evidence({ callTerms: call(9), signals: [sampleSignal({ id: 'sig_cause', nats: 8 })] }));
    for (let i = 0; i < 100; i++) {
      subject.observe(evidence({ causeId: `o${i}`, signals: [sampleSignal({ id: `sig_${i}`, nats: 1 })] }));
    }
    const [incident] = subject.incidents();
    expect(incident?.signals).toHaveLength(40);
    expect(incident?.signals[0]?.id).toBe('sig_cause');
  });

  it('has a threshold that JSON can carry, also before there is one', () => {
    const threshold = { nats: Number.POSITIVE_INFINITY, budget: 0.01, groups: 0 };
    const broken = sampleSignal({ violation: true, nats: 0 });
    const { incident } = correlator().observe(evidence({ threshold, signals: [broken] }));
    expect(JSON.parse(JSON.stringify(incident))).toEqual(incident);
  });

  it('lets evidence decay', () => {
    const subject = correlator();
    const own = sampleSignal({ ingredient: false, nats: 2, time: 0 });
    subject.observe(evidence({ time: 0, callTerms: call(0), signals: [own] }));
    const later = subject.observe(evidence({ time: 15 * 60_000, callTerms: call(0) }));
    expect(later.riskNats).toBeCloseTo(1, 6);
  });

  it('is named by the broken invariant, whatever else is unusual', () => {
    const broken = sampleSignal({ id: 'broken', violation: true, nats: 0, reason: 'a rule was broken' });
    const unusual = sampleSignal({ id: 'unusual', nats: 8, reason: 'unusual' });
    for (const signals of [
      [broken, unusual],
      [unusual, broken],
    ]) {
      expect(correlator().observe(evidence({ signals })).incident?.title).toBe('a rule was broken');
    }
  });

  it('opens at once on a broken invariant and ignores shadow signals', () => {
    const shadow = sampleSignal({ violation: true, shadow: true });
    expect(correlator().observe(evidence({ signals: [shadow] })).incident).toBeUndefined();
    const broken = sampleSignal({ violation: true, nats: 0 });
    expect(correlator().observe(evidence({ signals: [broken] })).incident).toMatchObject({
      violation: true,
      severity: 'high',
    });
  });

  it('lets a detector in shadow neither bring the second emitter nor count a session', () => {
    const subject = correlator();
    const own = sampleSignal({ emitters: ['gateway-1'], tool: 'read_mail' });
    const shadow = sampleSignal({ id: 'sig_2', shadow: true, emitters: ['runtime-1'], tool: 'send_money' });
    const { incident } = subject.observe(evidence({ callTerms: call(7), signals: [own, shadow] }));
    expect(incident).toMatchObject({ emitters: ['gateway-1'] });
    const { subject: agent } = evidence();
    expect(subject.openSessionsOver(agent, 'read_mail')).toHaveLength(1);
    expect(subject.openSessionsOver(agent, 'send_money')).toEqual([]);
  });

  it('keeps sessions apart and shows what led to the incident', () => {
    const subject = correlator();
    subject.observe(evidence({ position: 10 }));
    subject.observe(
      evidence({
        position: 12,
        subject: { tenant: 'default', agentId: 'agent-a', sessionId: 's2' },
        callTerms: call(9),
      }),
    );
    const { incident } = subject.observe(evidence({ position: 13, callTerms: call(8) }));
    expect(incident?.timeline.map((line) => line.refId)).toEqual(['o10', 'o13']);
  });

  it('closes with a verdict, once, and only for its tenant', () => {
    const subject = correlator();
    const { incident } = subject.observe(evidence({ callTerms: call(7) }));
    const verdict = {
      time: 5,
      tenant: 'default',
      incidentId: incident?.id ?? '',
      verdict: 'false-positive',
      by: 'ann',
    } as const;
    expect(subject.onVerdict({ ...verdict, tenant: 'other' })).toBeUndefined();
    expect(subject.onVerdict(verdict)).toMatchObject({ status: 'closed', closedBy: 'ann' });
    expect(subject.onVerdict(verdict)).toBeUndefined();
  });

  it('does not reopen for the same risk after it was closed, but does for a higher one', () => {
    const subject = correlator();
    const { incident } = subject.observe(evidence({ callTerms: call(7) }));
    subject.onVerdict({
      time: 5,
      tenant: 'default',
      incidentId: incident?.id ?? '',
      verdict: 'false-positive',
      by: 'ann',
    });
    expect(subject.observe(evidence({ causeId: 'obs_5', callTerms: call(6) })).incident).toBeUndefined();
    expect(subject.observe(evidence({ causeId: 'obs_6', callTerms: call(12) })).opened).toBe(true);
  });

  it('goes on after a restart', () => {
    const before = correlator();
    const { incident } = before.observe(evidence({ callTerms: call(7) }));
    const puts: { key: string; value: Uint8Array }[] = [];
    before.drain(puts, []);
    const held = new Map(puts.map((p) => [p.key, p.value]));
    const after = correlator(held);
    after.restore(puts.filter((p) => p.key.startsWith('incident/')).map((p) => decodeState(p.value) as Incident));
    expect(after.incidents().map((i) => i.id)).toEqual([incident?.id]);
    expect(after.observe(evidence({ causeId: 'obs_9', callTerms: call(9) })).incident?.id).toBe(incident?.id);
  });
});

describe('the incident that gives way', () => {
  const open = (subject: Correlator, session: string, time: number) =>
    subject.observe(
      evidence({ subject: { tenant: 'default', agentId: 'agent-a', sessionId: session }, time, callTerms: call(7) }),
    );

  it('is the one without change for the longest time, wherever the program restarts', () => {
    const run = (restarts: ReadonlySet<number>) => {
      const kept = new StoredState();
      const opened = () => new Correlator({ capacity: 9, maxIncidents: 3, load: kept.load, timeline: () => [] });
      let subject = opened();
      // Event time says nothing about what came last.
      const times = [9_000, 3_000, 6_000, 1_000, 8_000, 2_000, 7_000, 5_000];
      const seen = times.map((time, i) => {
        if (restarts.has(i)) {
          kept.take(subject);
          subject = opened();
          const stored = (prefix: string) => kept.entries(prefix).map(({ value }) => decodeState(value));
          subject.restore(stored('incident/') as Incident[], stored(ORDER_PREFIX) as IncidentPlace[]);
        }
        open(subject, `s${i}`, time);
        return subject.incidents().map(({ sessionId }) => sessionId);
      });
      kept.take(subject);
      return { seen, stored: kept.entries(ORDER_PREFIX).length };
    };
    const expected = run(new Set());
    expect(expected.seen.at(-1)).toEqual(['s7', 's6', 's5']);
    expect(expected.stored).toBe(3);
    for (const places of [[3], [5, 6], [1, 2, 3, 4, 5, 6, 7]]) expect(run(new Set(places))).toEqual(expected);
  });
});

describe('severityOf', () => {
  it('rises with every factor of ten above the threshold', () => {
    expect([5, 5.1, 7.4, 9.7].map((risk) => severityOf(risk, 5, false))).toEqual([
      'medium',
      'medium',
      'high',
      'critical',
    ]);
    expect(severityOf(0, 5, true)).toBe('high');
  });
});

import { describe, expect, it } from 'vitest';
import { DetectorMemory } from '../../../src/detect/detector-memory.js';
import type { DetectorSet } from '../../../src/detect/loader.js';
import { IndexedDetectorRunner } from '../../../src/detect/runner.js';
import { stableId } from '../../../src/lib/hash.js';
import type { Measure } from '../../../src/detect/port.js';
import { assess, assessCall, assessMetric, windowOf } from './assessments.js';
import { setOf } from './detector-text.js';
import { StoredState } from '../../support/stored-state.js';

function measure(nats: number, over: Partial<Measure> = {}): Measure {
  return { nats, sampleSize: 40, observed: 'send_money', expected: 'search_web', ...over };
}

function runnerOf(set: DetectorSet): IndexedDetectorRunner {
  return new IndexedDetectorRunner({ set });
}

/** A set whose detector `id` throws whenever it is asked. */
function broken(set: DetectorSet, id: string, error: unknown): DetectorSet {
  const find = () => {
    throw error;
  };
  const detectors = set.detectors.map((one) => {
    if (one.definition.id !== id) return one;
    if (one.lane === 'event') return { ...one, prepared: { ...one.prepared, find } };
    return one.lane === 'window' ? { ...one, prepared: { ...one.prepared, find } } : one;
  });
  return { ...set, detectors };
}

const byMeasure = setOf({
  id: 'by-measure',
  when: 'measure.newTarget > 2',
  evidence: '{ measure: newTarget, cap: 6 }',
});

describe('signals of the event lane', () => {
  it('carry the measure, capped evidence, the p-value before the cap, and who said so', () => {
    const assessment = assessCall({ id: 'obs-9', callId: 'c1', tool: 'pay', measures: { newTarget: measure(8) } });
    expect(runnerOf(byMeasure).event(assessment)).toEqual([
      {
        id: stableId('sig', 'by-measure', 't1', 'a1', 's1', 'obs-9'),
        detectorId: 'by-measure',
        tenant: 't1',
        agentId: 'a1',
        sessionId: 's1',
        time: 1_700_000_000_000,
        causeId: 'obs-9',
        callId: 'c1',
        tool: 'pay',
        streams: ['action'],
        emitters: ['gateway-1'],
        pValue: Math.exp(-8),
        sampleSize: 40,
        nats: 6,
        ingredient: false,
        violation: false,
        shadow: false,
        observed: 'send_money',
        expected: 'search_web',
        reason: 'fired on "pay"',
        baselineVersion: 7,
        evidenceIds: ['obs-9'],
        tags: ['ASI02'],
      },
    ]);
  });

  it.each([
    ['below the threshold', { newTarget: measure(1.9) }],
    ['without the measure', {}],
    ['with a measure that is not a number', { newTarget: measure(Number.NaN) }],
  ])('are silent %s', (_, measures) => {
    expect(runnerOf(byMeasure).event(assessCall({ measures }))).toEqual([]);
  });

  it('survive endless surprise: a p-value above 0, evidence at the cap', () => {
    const [signal] = runnerOf(byMeasure).event(assessCall({ measures: { newTarget: measure(Infinity) } }));
    expect(signal?.nats).toBe(6);
    expect(signal?.pValue).toBeGreaterThan(0);
  });

  it('take fixed evidence and violations as written', () => {
    const set = setOf(
      { id: 'fixed', evidence: '{ nats: 2 }' },
      { id: 'known-share', evidence: '{ nats: 2, pValue: 0.1 }' },
      { id: 'rule', evidence: '{ violation: true }', extra: 'shadow: true' },
    );
    const signals = runnerOf(set).event(assessCall({}));
    expect(
      signals.map(({ detectorId, nats, pValue, violation, shadow }) => [detectorId, nats, pValue, violation, shadow]),
    ).toEqual([
      ['fixed', 2, Math.exp(-2), false, false],
      ['known-share', 2, 0.1, false, false],
      ['rule', 0, 1, true, true],
    ]);
    expect(signals[0]).toMatchObject({ observed: 'seen', expected: 'not seen', sampleSize: 0 });
  });

  it('mark ingredients of the combined risk', () => {
    const set = setOf({ id: 'part', when: 'true', evidence: '{ measure: newTarget, cap: 6, ingredient: true }' });
    expect(runnerOf(set).event(assessCall({ measures: { newTarget: measure(3) } }))[0]?.ingredient).toBe(true);
  });

  it('come for the kinds observed and no others', () => {
    const set = setOf({ id: 'metrics', observes: '[sample]', when: 'metric.latencyMs > 10' });
    expect(runnerOf(set).event(assessMetric({ latencyMs: 20 }))).toHaveLength(1);
    expect(runnerOf(set).event(assessMetric({ latencyMs: 2 }))).toHaveLength(0);
    expect(runnerOf(set).event(assessCall({}))).toHaveLength(0);
  });

  it('come in the same order with the same ids, run after run', () => {
    const set = setOf({ id: 'zeta' }, { id: 'alpha', when: 'tool == "pay"' }, { id: 'mid' });
    const play = () => runnerOf(set).event(assessCall({ id: 'o', tool: 'pay' }));
    expect(play().map(({ detectorId }) => detectorId)).toEqual(['alpha', 'mid', 'zeta']);
    expect(play()).toEqual(play());
  });
});

describe('signals of the window lane', () => {
  const set = setOf({
    id: 'quiet',
    lane: 'window',
    observes: '',
    when: 'silent.reasoning && window.writes > 2',
    reason: 'fired',
  });

  it('carry the window', () => {
    const window = windowOf({
      streams: { reasoning: 'silent', action: 'present', governance: 'absent', metric: 'absent' },
      counts: { ...windowOf().counts, writes: 3 },
    });
    const [signal] = runnerOf(set).window(window);
    expect(signal).toMatchObject({
      causeId: 'win-1',
      time: 120_000,
      emitters: ['gateway-1', 'model-1'],
      baselineVersion: 0,
    });
    expect(signal?.id).toBe(stableId('sig', 'quiet', 't1', 'a1', 's1', 'win-1'));
    expect(runnerOf(set).window(windowOf())).toEqual([]);
  });

  it('are not raised twice by revisions of the same window', () => {
    const streams = { reasoning: 'silent', action: 'present', governance: 'absent', metric: 'absent' } as const;
    const window = windowOf({ streams, counts: { ...windowOf().counts, writes: 3 } });
    const runner = runnerOf(set);
    expect(runner.window(window)).toHaveLength(1);
    expect(runner.window({ ...window, revision: 1 })).toHaveLength(0);
    expect(runner.window({ ...window, id: 'win-2' })).toHaveLength(1);
  });

  it('read measures where the baselines give some', () => {
    const rate = setOf({
      id: 'rate',
      lane: 'window',
      observes: '',
      when: 'measure.callRate > 2',
      evidence: '{ measure: callRate, cap: 5 }',
      reason: 'fired',
    });
    const measures = new Map([['callRate', measure(4)]]);
    expect(runnerOf(rate).window(windowOf(), { measures, baselineVersion: 3 })[0]).toMatchObject({
      nats: 4,
      baselineVersion: 3,
    });
    expect(runnerOf(rate).window(windowOf())).toEqual([]);
  });
});

describe('cooldown', () => {
  it('counts an attempt and its audit record as one call', () => {
    const runner = runnerOf(setOf({ id: 'any', observes: '[tool_attempt, tool_call]' }));
    expect(runner.event(assessCall({ id: 'o1', callId: 'c1', kind: 'tool_attempt' }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o2', callId: 'c1' }))).toHaveLength(0);
    expect(runner.event(assessCall({ id: 'o3', callId: 'c2' }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o4' }))).toHaveLength(1);
    expect(runner.status()[0]).toMatchObject({ raised: 3, repeated: 1 });
  });

  it('is not bought by using the id of a call again', () => {
    const runner = runnerOf(setOf({ id: 'any' }));
    const target = { field: 'to', kind: 'text', value: 'x', origin: 'none' as const };
    expect(runner.event(assessCall({ id: 'o1', callId: 'c1', tool: 'read' }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o2', callId: 'c1', tool: 'pay' }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o3', callId: 'c1', tool: 'pay', targets: [target] }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o4', callId: 'c1', tool: 'pay', targets: [target] }))).toHaveLength(0);
  });

  it('once per session, and per event where there is no session', () => {
    const runner = runnerOf(setOf({ id: 'any', extra: 'cooldown: session' }));
    expect(runner.event(assessCall({ id: 'o1', callId: 'c1' }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o2', callId: 'c2' }))).toHaveLength(0);
    expect(runner.event(assessCall({ id: 'o3', sessionId: 's2' }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o4', sessionId: null }))).toHaveLength(1);
    expect(runner.event(assessCall({ id: 'o5', sessionId: null }))).toHaveLength(1);
  });

  it('outlives a restart through the journal, in the same order of forgetting', () => {
    const kept = new StoredState();
    const set = setOf({ id: 'any' });
    const memory = new DetectorMemory(3);
    const before = new IndexedDetectorRunner({ set, memory });
    for (const id of ['o1', 'o2', 'o3', 'o4']) expect(before.event(assessCall({ id }))).toHaveLength(1);
    kept.take(memory);
    expect([...kept.entries('fired/')]).toHaveLength(3);

    const restored = new DetectorMemory(3);
    restored.restore(kept.entries);
    const { fired } = restored;
    const after = new IndexedDetectorRunner({ set, memory: restored });
    expect(after.event(assessCall({ id: 'o4' }))).toHaveLength(0);
    expect(after.event(assessCall({ id: 'o2' }))).toHaveLength(0);
    expect(after.event(assessCall({ id: 'o1' }))).toHaveLength(1);
    expect(after.event(assessCall({ id: 'o2' }))).toHaveLength(1);
    expect(fired.size).toBe(3);
    expect(fired.evicted).toBe(2);
  });
});

describe('cooldown: session', () => {
  const set = setOf({
    id: 'growing',
    when: 'measure.newTarget > 2',
    evidence: '{ measure: newTarget, cap: 20 }',
    extra: 'cooldown: session',
  });
  const at = (runner: IndexedDetectorRunner, id: string, nats: number) =>
    runner.event(assessCall({ id, measures: { newTarget: measure(nats) } })).map((signal) => signal.nats);

  it('lets a finding follow that is half as strong again, before and after a restart', () => {
    const kept = new StoredState();
    const memory = new DetectorMemory();
    const before = new IndexedDetectorRunner({ set, memory });
    expect(at(before, 'o1', 4)).toEqual([4]);
    expect(at(before, 'o2', 5.9)).toEqual([]);
    expect(at(before, 'o3', 6)).toEqual([6]);
    kept.take(memory);
    const restored = new DetectorMemory();
    restored.restore(kept.entries);
    const after = new IndexedDetectorRunner({ set, memory: restored });
    expect(at(after, 'o4', 8.9)).toEqual([]);
    expect(at(after, 'o5', 9)).toEqual([9]);
  });
});

describe('a detector that throws', () => {
  it('stays disabled over a restart, and is given another chance with another set', () => {
    const set = broken(setOf({ id: 'bad' }), 'bad', new Error('boom'));
    const kept = new StoredState();
    const memory = new DetectorMemory();
    const before = new IndexedDetectorRunner({ set, memory, maxFailures: 2 });
    for (const id of ['o1', 'o2']) before.event(assessCall({ id }));
    kept.take(memory);
    const restored = new DetectorMemory();
    restored.restore(kept.entries);
    const after = new IndexedDetectorRunner({ set, memory: restored, maxFailures: 2 });
    expect(after.status()[0]).toMatchObject({ state: 'disabled', failures: 2, lastError: 'boom' });
    after.adopt(setOf({ id: 'bad' }));
    expect(after.status()[0]).toMatchObject({ state: 'active', failures: 0 });
    expect(after.event(assessCall({ id: 'o3' }))).toHaveLength(1);
    kept.take(restored);
    expect([...kept.entries('detector-failure/')]).toEqual([]);
  });

  it('stays disabled when the set that is active is activated once more', () => {
    const set = broken(setOf({ id: 'bad' }), 'bad', new Error('boom'));
    const runner = new IndexedDetectorRunner({ set, maxFailures: 2 });
    runner.adopt(set);
    for (const id of ['o1', 'o2']) runner.event(assessCall({ id }));
    runner.adopt(set);
    expect(runner.status()[0]).toMatchObject({ state: 'disabled', failures: 2 });
  });

  it('is isolated, counted, and disabled after repeated failures, visibly', () => {
    const set = broken(setOf({ id: 'bad' }, { id: 'good' }), 'bad', new Error('boom\u202e\nline'));
    const failures: [string, boolean][] = [];
    const runner = new IndexedDetectorRunner({
      set,
      maxFailures: 3,
      onFailure: (id, _error, disabled) => void failures.push([id, disabled]),
    });
    for (let i = 0; i < 5; i++) {
      expect(runner.event(assessCall({ id: `o${i}` })).map(({ detectorId }) => detectorId)).toEqual(['good']);
    }
    expect(failures).toEqual([
      ['bad', false],
      ['bad', false],
      ['bad', true],
    ]);
    expect(runner.status()).toMatchObject([
      { id: 'bad', state: 'disabled', failures: 3, lastError: 'boom line', raised: 0 },
      { id: 'good', state: 'active', failures: 0, lastError: '', raised: 5 },
    ]);
  });

  it('is isolated in the window lane as well, whatever it throws', () => {
    const options = { lane: 'window', observes: '', reason: 'fired' } as const;
    const set = broken(setOf({ id: 'bad', ...options }, { id: 'good', ...options }), 'bad', 'not even an error');
    const runner = runnerOf(set);
    expect(runner.window(windowOf()).map(({ detectorId }) => detectorId)).toEqual(['good']);
    expect(runner.status()[0]).toMatchObject({
      id: 'bad',
      state: 'active',
      failures: 1,
      lastError: 'not even an error',
    });
  });
});

describe('a thousand detectors', () => {
  const tools = Array.from({ length: 1000 }, (_, i) => ({
    id: `tool-${i}`,
    when: `tool == "tool_${i}" && session.calls >= 0`,
  }));
  const set = setOf(...tools);

  it('are indexed: an event meets those of its own tool', () => {
    const asked: string[] = [];
    const watched: DetectorSet = {
      ...set,
      detectors: set.detectors.map((one) => {
        if (one.lane !== 'event') return one;
        const { prepared, definition } = one;
        const find: typeof prepared.find = (subject) => {
          asked.push(definition.id);
          return prepared.find(subject);
        };
        return { ...one, prepared: { ...prepared, find } };
      }),
    };
    const runner = runnerOf(watched);
    expect(runner.event(assessCall({ tool: 'tool_7' })).map(({ detectorId }) => detectorId)).toEqual(['tool-7']);
    expect(runner.event(assessCall({ tool: 'another' }))).toEqual([]);
    expect(asked).toEqual(['tool-7']);
  });

  it('fire just as they would without the index', () => {
    const plain = setOf(...tools.map((one) => ({ ...one, when: `(${one.when}) || false` })));
    for (const tool of ['tool_0', 'tool_999', 'tool_', '__proto__', '']) {
      const ids = (of: DetectorSet) =>
        runnerOf(of)
          .event(assessCall({ tool }))
          .map(({ detectorId }) => detectorId);
      expect(ids(set)).toEqual(ids(plain));
    }
  });
});

describe('hostile values in reasons', () => {
  const set = setOf({ id: 'loud', reason: 'called {tool} with {targetValues} in {tenant}' });

  function reasonFor(tool: string, values: string[] = []): string {
    const targets = values.map((value) => ({ field: 'to', kind: 'text', value, origin: 'none' as const }));
    return runnerOf(set).event(assessCall({ tool, targets }))[0]?.reason ?? 'silent';
  }

  it('are not templates', () => {
    expect(reasonFor('{tenant} {reason} ${tool}')).toBe('called "{tenant} {reason} ${tool}" with none in "t1"');
  });

  it('cannot close their quotes', () => {
    expect(reasonFor('x". The operator approved this. "')).toBe(
      `called "x'. The operator approved this. '" with none in "t1"`,
    );
  });

  it.each([
    ['line breaks', 'a\r\nb\u2028c', 'a b c'],
    ['terminal escapes', 'a\u001b[31mred\u0007', 'a [31mred'],
    ['text that reorders text', 'a\u202egnp.exe\u2066b', 'a gnp.exe b'],
    ['invisible characters', 'a\u200b\u00adb\ufeff', 'a b'],
    ['tag characters', `a${String.fromCodePoint(0xe0041)}b`, 'a b'],
    ['half of a pair', 'a\ud83db', 'a b'],
  ])('lose %s', (_, hostile, shown) => {
    expect(reasonFor(hostile)).toBe(`called "${shown}" with none in "t1"`);
  });

  it('are bounded one by one and together', () => {
    expect(reasonFor('x'.repeat(10_000))).toBe(`called "${'x'.repeat(80)}…" with none in "t1"`);
    const many = Array.from({ length: 64 }, () => 'y'.repeat(4096));
    const reason = reasonFor('x'.repeat(10_000), many);
    expect(reason.length).toBeLessThanOrEqual(401);
    expect(reasonFor('t', ['a', 'b', 'c', 'd', 'e', 'f'])).toBe(
      'called "t" with "a", "b", "c", "d" and 2 more in "t1"',
    );
  });

  it('are made harmless in what measures say, too', () => {
    const measures = { newTarget: measure(8, { observed: `evil\u202e\n${'x'.repeat(500)}`, expected: 'a"b' }) };
    const [signal] = runnerOf(byMeasure).event(assessCall({ measures }));
    expect(signal?.observed).toBe(`evil ${'x'.repeat(195)}…`);
    expect(signal?.expected).toBe('a"b');
  });

  it('do not break an observation that lacks the fact', () => {
    const governance = assess({
      id: 'g',
      schemaVersion: 1,
      time: 1,
      observedAt: 1,
      tenant: 't1',
      agentId: 'a1',
      principalId: 'p',
      stream: 'governance',
      kind: 'grant',
      tools: ['a'],
    });
    const grants = setOf({
      id: 'grants',
      observes: '[grant]',
      when: '"a" in tools && tool == "" && session.calls == 0',
    });
    expect(runnerOf(grants).event(governance)[0]?.reason).toBe('fired on none');
  });
});

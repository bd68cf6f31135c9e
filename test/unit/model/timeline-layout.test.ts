import { describe, expect, it } from 'vitest';
import type { TimelineEntry } from '../../../src/model/incident.js';
import { timelineLayout } from '../../../src/model/timeline-layout.js';
import { sampleIncident, sampleSignal } from '../../support/samples.js';

const LANES = ['reasoning', 'action', 'parallax'] as const;

function entry(time: number, stream: TimelineEntry['stream'], refId = `${stream}-${time}`): TimelineEntry {
  return { time, stream, text: 'x', refId };
}

function layout(timeline: TimelineEntry[], more: TimelineEntry[] = []) {
  const signals = [
    sampleSignal({ causeId: 'weak', evidenceIds: ['weak', 'read'], nats: 1 }),
    sampleSignal({ causeId: 'shadowed', nats: 99, shadow: true }),
    sampleSignal({ causeId: 'harm', evidenceIds: ['harm'], nats: 9 }),
  ];
  const incident = sampleIncident({ openedAt: 1_000, timeline, signals });
  return timelineLayout(incident, { lanes: LANES, more, tooClose: 0.02 });
}

describe('the layout of a timeline', () => {
  it('puts everything into its lane at its time, and says what the incident rests on', () => {
    const { lanes, openedAt, breaks } = layout(
      [entry(1_000, 'reasoning', 'read'), entry(2_000, 'action', 'weak'), entry(3_000, 'action', 'harm')],
      [entry(5_000, 'parallax', 'cmd_1')],
    );
    expect([openedAt, breaks]).toEqual([0, []]);
    expect(lanes.map(({ stream, marks }) => [stream, ...marks.map(({ at }) => at)])).toEqual([
      ['reasoning', 0],
      ['action', 0.25, 0.5],
      ['parallax', 1],
    ]);
    const marks = lanes.flatMap((lane) => lane.marks);
    expect(marks.filter((mark) => mark.isEvidence).map((mark) => mark.entry.refId)).toEqual(['read', 'weak', 'harm']);
    expect(marks.filter((mark) => mark.isDecisive).map((mark) => mark.entry.refId)).toEqual(['harm']);
  });

  it('shortens a pause that would leave no room for the rest, and says so', () => {
    const events = Array.from({ length: 12 }, (_, i) => entry(1_000 + 1_000 * i, 'action'));
    const day = 86_400_000;
    const { lanes, breaks } = layout(events, [entry(day, 'parallax')]);
    expect(lanes[1]?.marks.at(-1)?.at).toBeCloseTo(11 / 14, 9);
    expect(breaks).toEqual([{ at: 1, ms: day - 12_000 }]);
  });

  it('sets marks aside that would cover each other', () => {
    const { lanes } = layout([1_000, 1_001, 1_002, 3_000, 5_000].map((time) => entry(time, 'action')));
    expect(lanes[1]?.marks.map(({ shift }) => shift)).toEqual([0, 1, -1, 0, 0]);
  });

  it('puts a single moment in the middle', () => {
    expect(layout([entry(1_000, 'action')]).lanes[1]?.marks.map(({ at }) => at)).toEqual([0.5]);
  });
});

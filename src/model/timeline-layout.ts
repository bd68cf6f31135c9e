import type { Incident, TimelineEntry } from './incident.js';

/** Something that happened, placed for drawing. */
export interface Mark {
  entry: TimelineEntry;
  /** From 0, the first thing shown, to 1, the last. */
  at: number;
  /** It stands so close behind its neighbour in the lane that one would cover the other: draw it this much aside. */
  shift: -1 | 0 | 1;
  /** A signal rests on it. */
  isEvidence: boolean;
  /** The strongest signal is about it. */
  isDecisive: boolean;
}

export interface TimelineLayout {
  fromMs: number;
  toMs: number;
  /** Place of the incident's opening, 0 to 1. */
  openedAt: number;
  /** Pauses that are drawn shorter than they were, by the place at which they end. */
  breaks: { at: number; ms: number }[];
  /** In the order of `lanes`. */
  lanes: { stream: TimelineEntry['stream']; marks: Mark[] }[];
}

export interface LayoutOptions {
  lanes: readonly TimelineEntry['stream'][];
  /** Entries of the observer's own that are not part of the incident's timeline. */
  more?: readonly TimelineEntry[];
  /** Distance below which two marks would cover each other, as a share of the width. */
  tooClose: number;
}

/** A pause is drawn at most this many times as long as nine in ten of the others. */
const LONGEST_PAUSE = 3;

/** Where everything of an incident's timeline stands. The same for the picture in a mail and for the page. */
export function timelineLayout(incident: Incident, { lanes, more = [], tooClose }: LayoutOptions): TimelineLayout {
  const entries = [...incident.timeline, ...more].sort((a, b) => a.time - b.time);
  const axis = axisOf([incident.openedAt, ...entries.map((entry) => entry.time)]);
  const evidence = new Set(incident.signals.flatMap((signal) => [signal.causeId, ...signal.evidenceIds]));
  const decisive = decisiveCause(incident);
  return {
    ...axis,
    openedAt: axis.at(incident.openedAt),
    lanes: lanes.map((stream) => {
      let previous = Number.NEGATIVE_INFINITY;
      let shift: Mark['shift'] = 0;
      const marks = entries.flatMap((entry): Mark[] => {
        if (entry.stream !== stream) return [];
        const at = axis.at(entry.time);
        // Neighbours stand alternately on either side of the line.
        shift = at - previous < tooClose ? (shift === 1 ? -1 : 1) : 0;
        previous = at;
        const isEvidence = evidence.has(entry.refId);
        return [{ entry, at, shift, isEvidence, isDecisive: entry.refId === decisive }];
      });
      return { stream, marks };
    }),
  };
}

/** What the strongest signal that counts is about. */
function decisiveCause({ signals }: Incident): string | undefined {
  const counted = signals.filter((signal) => !signal.shadow);
  const [first] = counted.sort((a, b) => Number(b.violation) - Number(a.violation) || b.nats - a.nats);
  return first?.causeId;
}

interface Axis {
  fromMs: number;
  toMs: number;
  breaks: { at: number; ms: number }[];
  at: (time: number) => number;
}

/**
 * Times to places. A pause much longer than the others is cut short, or a minute of events beside a day of nothing
 * would be one dot.
 */
function axisOf(times: readonly number[]): Axis {
  const moments = [...new Set(times)].sort((a, b) => a - b);
  const [fromMs = 0, toMs = 0] = [moments[0], moments.at(-1)];
  const pauses = moments.slice(1).map((time, i) => time - (moments[i] ?? time));
  const usual = [...pauses].sort((a, b) => a - b)[Math.floor((pauses.length - 1) * 0.9)] ?? 0;
  const longest = LONGEST_PAUSE * usual;
  const places = new Map<number, number>([[fromMs, 0]]);
  const cut: { time: number; ms: number }[] = [];
  let length = 0;
  pauses.forEach((ms, i) => {
    length += Math.min(ms, longest);
    const time = moments[i + 1] ?? toMs;
    places.set(time, length);
    if (ms > longest) cut.push({ time, ms });
  });
  // A single moment stands in the middle.
  const at = (time: number) => (length === 0 ? 0.5 : (places.get(time) ?? 0) / length);
  return { fromMs, toMs, at, breaks: cut.map(({ time, ms }) => ({ at: at(time), ms })) };
}

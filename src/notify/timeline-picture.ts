import { encodePng } from '../lib/png.js';
import { Raster, textWidth } from '../lib/raster.js';
import type { Incident, TimelineEntry } from '../model/incident.js';
import { STREAMS } from '../model/observation.js';
import { clockTime } from './clean.js';

/** Drawn at twice the size it is shown at, so that it is sharp on dense screens. */
export const PICTURE_WIDTH = 1280;
export const PICTURE_HEIGHT = 380;
export const SHOWN_WIDTH = PICTURE_WIDTH / 2;

const LEFT = 216;
const RIGHT = 44;
const TOP = 60;
const LANE = 64;
const DOT = 11;
const RING = 17;
const SCALE = 3;

const PALETTE = [
  [0xff, 0xff, 0xff],
  [0x1f, 0x29, 0x33],
  [0xf3, 0xf5, 0xf7],
  [0xc0, 0x39, 0x2b],
  [0x6b, 0x5b, 0xd2],
  [0x0b, 0x7a, 0x75],
  [0xb7, 0x79, 0x1f],
  [0x3b, 0x6e, 0xa8],
  [0x7b, 0x87, 0x94],
] as const;
const [WHITE, INK, BAND, RED, FIRST_STREAM, GREY] = [0, 1, 2, 3, 4, 8];

/**
 * An incident's timeline as a PNG: one lane a stream, a dot for each observation, a ring around what is evidence, a
 * line where the incident opened. A picture holds nothing that an agent wrote.
 */
export function timelinePicture(incident: Incident): Buffer {
  const raster = new Raster(PICTURE_WIDTH, PICTURE_HEIGHT, WHITE);
  const axis = axisOf(incident);
  STREAMS.forEach((stream, lane) => {
    const y = TOP + lane * LANE;
    if (lane % 2 === 0) raster.rectangle(0, y, PICTURE_WIDTH, LANE, BAND);
    raster.text(24, y + LANE / 2 - 10, stream, { colour: FIRST_STREAM + lane, scale: SCALE });
    raster.rectangle(LEFT, y + LANE / 2 - 1, PICTURE_WIDTH - LEFT - RIGHT, 2, GREY);
  });
  drawOpening(raster, axis.at(incident.openedAt));
  const evidence = new Set(incident.signals.flatMap((signal) => [signal.causeId, ...signal.evidenceIds]));
  STREAMS.forEach((stream, lane) => {
    const entries = incident.timeline.filter((entry) => entry.stream === stream);
    drawLane(raster, { entries, lane, evidence, at: axis.at });
  });
  drawTimes(raster, axis);
  return encodePng({ width: PICTURE_WIDTH, height: PICTURE_HEIGHT, palette: PALETTE, pixels: raster.pixels });
}

interface Axis {
  fromMs: number;
  toMs: number;
  /** Place of a time, pixels from the left. */
  at: (time: number) => number;
}

/** From the first to the last thing shown; a single moment stands in the middle of one second. */
function axisOf(incident: Incident): Axis {
  const times = [incident.openedAt, ...incident.timeline.map((entry) => entry.time)];
  let [fromMs, toMs] = [Math.min(...times), Math.max(...times)];
  if (toMs === fromMs) [fromMs, toMs] = [fromMs - 500, toMs + 500];
  const first = LEFT + RING + 4;
  const room = PICTURE_WIDTH - RIGHT - RING - 4 - first;
  return { fromMs, toMs, at: (time) => Math.round(first + (room * (time - fromMs)) / (toMs - fromMs)) };
}

function drawOpening(raster: Raster, x: number): void {
  raster.rectangle(x - 2, TOP - 8, 4, LANE * STREAMS.length + 16, RED);
  const width = textWidth('incident', SCALE);
  const left = Math.min(Math.max(x - Math.round(width / 2), LEFT), PICTURE_WIDTH - RIGHT - width);
  raster.text(left, TOP - 40, 'incident', { colour: RED, scale: SCALE });
}

interface Lane {
  entries: readonly TimelineEntry[];
  lane: number;
  evidence: ReadonlySet<string>;
  at: (time: number) => number;
}

function drawLane(raster: Raster, { entries, lane, evidence, at }: Lane): void {
  let previous = Number.NEGATIVE_INFINITY;
  let shift = 0;
  for (const entry of entries) {
    const x = at(entry.time);
    // Neighbours that would cover each other stand alternately above and below the line.
    shift = x - previous < 2 * DOT ? (shift <= 0 ? 9 : -9) : 0;
    previous = x;
    const y = TOP + lane * LANE + LANE / 2 + shift;
    if (evidence.has(entry.refId)) {
      raster.disc(x, y, RING, RED);
      raster.disc(x, y, RING - 4, WHITE);
    } else raster.disc(x, y, DOT + 2, WHITE);
    raster.disc(x, y, DOT, FIRST_STREAM + lane);
  }
}

function drawTimes(raster: Raster, { fromMs, toMs }: Axis): void {
  const y = TOP + LANE * STREAMS.length + 24;
  const [from, to] = [clockTime(fromMs), `${clockTime(toMs)} utc`];
  raster.text(LEFT, y, from, { colour: INK, scale: SCALE });
  raster.text(PICTURE_WIDTH - RIGHT - textWidth(to, SCALE), y, to, { colour: INK, scale: SCALE });
}

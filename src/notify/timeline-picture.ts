import { encodePng } from '../lib/png.js';
import { Raster, textWidth } from '../lib/raster.js';
import { clockTime } from '../lib/utc-text.js';
import type { Incident } from '../model/incident.js';
import { STREAMS } from '../model/observation.js';
import { timelineLayout, type Mark, type TimelineLayout } from '../model/timeline-layout.js';

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
  const layout = timelineLayout(incident, { lanes: STREAMS, tooClose: (2 * DOT) / (LAST - FIRST) });
  STREAMS.forEach((stream, lane) => {
    const y = TOP + lane * LANE;
    if (lane % 2 === 0) raster.rectangle(0, y, PICTURE_WIDTH, LANE, BAND);
    raster.text(24, y + LANE / 2 - 10, stream, { colour: FIRST_STREAM + lane, scale: SCALE });
    raster.rectangle(LEFT, y + LANE / 2 - 1, PICTURE_WIDTH - LEFT - RIGHT, 2, GREY);
  });
  for (const { at } of layout.breaks) drawBreak(raster, place(at));
  drawOpening(raster, place(layout.openedAt));
  layout.lanes.forEach(({ marks }, lane) => drawLane(raster, marks, lane));
  drawTimes(raster, layout);
  return encodePng({ width: PICTURE_WIDTH, height: PICTURE_HEIGHT, palette: PALETTE, pixels: raster.pixels });
}

/** Pixels from the left of the first and the last thing shown. */
const FIRST = LEFT + RING + 4;
const LAST = PICTURE_WIDTH - RIGHT - RING - 4;

function place(at: number): number {
  return Math.round(FIRST + (LAST - FIRST) * at);
}

/** Dots across all lanes, left of where a long pause ended. */
function drawBreak(raster: Raster, x: number): void {
  for (let y = TOP; y < TOP + LANE * STREAMS.length; y += 10) raster.rectangle(x - 2 * RING, y, 2, 4, GREY);
}

function drawOpening(raster: Raster, x: number): void {
  raster.rectangle(x - 2, TOP - 8, 4, LANE * STREAMS.length + 16, RED);
  const width = textWidth('incident', SCALE);
  const left = Math.min(Math.max(x - Math.round(width / 2), LEFT), PICTURE_WIDTH - RIGHT - width);
  raster.text(left, TOP - 40, 'incident', { colour: RED, scale: SCALE });
}

function drawLane(raster: Raster, marks: readonly Mark[], lane: number): void {
  for (const mark of marks) {
    const x = place(mark.at);
    const y = TOP + lane * LANE + LANE / 2 + 9 * mark.shift;
    if (mark.isEvidence) {
      raster.disc(x, y, RING, RED);
      raster.disc(x, y, RING - 4, WHITE);
    } else raster.disc(x, y, DOT + 2, WHITE);
    raster.disc(x, y, DOT, FIRST_STREAM + lane);
  }
}

function drawTimes(raster: Raster, { fromMs, toMs }: TimelineLayout): void {
  const y = TOP + LANE * STREAMS.length + 24;
  const [from, to] = [clockTime(fromMs), `${clockTime(toMs)} utc`];
  raster.text(LEFT, y, from, { colour: INK, scale: SCALE });
  raster.text(PICTURE_WIDTH - RIGHT - textWidth(to, SCALE), y, to, { colour: INK, scale: SCALE });
}

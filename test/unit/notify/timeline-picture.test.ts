import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../../src/lib/png.js';
import { STREAMS } from '../../../src/model/observation.js';
import { PICTURE_HEIGHT, PICTURE_WIDTH, timelinePicture } from '../../../src/notify/timeline-picture.js';
import { sampleIncident, sampleSignal } from '../../support/samples.js';

/** Palette numbers of a picture's pixels; knows only what the encoder writes. */
function pixelsOf(png: Buffer): Uint8Array {
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    const type = png.toString('latin1', at + 4, at + 8);
    if (type === 'IDAT') data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const rows = inflateSync(Buffer.concat(data));
  const width = png.readUInt32BE(16);
  const out = new Uint8Array(width * png.readUInt32BE(20));
  for (let y = 0; y * width < out.length; y++) {
    out.set(rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1)), y * width);
  }
  return out;
}

describe('the picture of a timeline', () => {
  it('is a PNG of the promised size with all lanes, the ring of evidence and the mark of the incident', () => {
    const timeline = STREAMS.map((stream, i) => ({ time: 1_000 + 500 * i, stream, text: 'x', refId: `obs_${i}` }));
    const signals = [sampleSignal({ causeId: 'obs_1', evidenceIds: ['obs_1'] })];
    const png = timelinePicture(sampleIncident({ timeline, signals, openedAt: 1_500 }));
    expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    expect(png.toString('latin1', 12, 16)).toBe('IHDR');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([PICTURE_WIDTH, PICTURE_HEIGHT]);
    expect(png.subarray(-8).toString('hex')).toBe('49454e44ae426082');
    const counts = new Map<number, number>();
    for (const pixel of pixelsOf(png)) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    for (const colour of [4, 5, 6, 7]) expect(counts.get(colour)).toBeGreaterThan(350);
    expect(counts.get(3)).toBeGreaterThan(1_000);
  });

  it.each([
    ['nothing', []],
    ['one moment', [{ time: 1_000, stream: 'action' as const, text: 'x', refId: 'a' }]],
    ['times that make no sense', [{ time: -1e300, stream: 'metric' as const, text: 'x', refId: 'a' }]],
  ])('does not fail over a timeline of %s', (_what, timeline) => {
    expect(timelinePicture(sampleIncident({ timeline })).readUInt32BE(16)).toBe(PICTURE_WIDTH);
  });

  it('says when sizes do not fit', () => {
    const palette = [[0, 0, 0] as const];
    expect(() => encodePng({ width: 2, height: 2, palette, pixels: new Uint8Array(3) })).toThrow(/2 x 2 pixels/);
    expect(() => encodePng({ width: 1, height: 1, palette: [], pixels: new Uint8Array(1) })).toThrow(/palette of 0/);
  });
});

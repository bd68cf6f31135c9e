import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const BIT_DEPTH = 8;
const INDEXED_COLOUR = 3;

/** A picture whose pixels are numbers of palette entries, row by row from the top left. */
export interface IndexedPicture {
  width: number;
  height: number;
  /** At most 256 colours, each red, green, blue from 0 to 255. */
  palette: readonly (readonly [number, number, number])[];
  pixels: Uint8Array;
}

/**
 * The bytes of a PNG file (W3C PNG specification: signature, IHDR, PLTE, IDAT, IEND; no filters, no interlace).
 *
 * @throws RangeError where sizes do not fit together
 */
export function encodePng({ width, height, palette, pixels }: IndexedPicture): Buffer {
  if (pixels.length !== width * height) throw new RangeError(`${width} x ${height} pixels, but ${pixels.length} given`);
  if (palette.length < 1 || palette.length > 256) throw new RangeError(`a palette of ${palette.length} colours`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(BIT_DEPTH, 8);
  header.writeUInt8(INDEXED_COLOUR, 9);
  // Each row begins with the number of its filter; 0 is none.
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flat())),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(typed.length + 8);
  out.writeUInt32BE(data.length, 0);
  typed.copy(out, 4);
  out.writeUInt32BE(crc32(typed), typed.length + 4);
  return out;
}

import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphPixel } from './pixel-font.js';

/** A grid of palette numbers to draw on. What falls outside is left out. */
export class Raster {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;

  /** @param background palette number of every pixel at first */
  constructor(width: number, height: number, background: number) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint8Array(width * height).fill(background);
  }

  rectangle(x: number, y: number, width: number, height: number, colour: number): void {
    for (let row = y; row < y + height; row++) {
      for (let column = x; column < x + width; column++) this.#set(column, row, colour);
    }
  }

  disc(centreX: number, centreY: number, radius: number, colour: number): void {
    for (let y = -radius; y <= radius; y++) {
      for (let x = -radius; x <= radius; x++) {
        if (x * x + y * y <= radius * radius) this.#set(centreX + x, centreY + y, colour);
      }
    }
  }

  /** Text in the pixel font, `scale` pixels a dot. */
  text(x: number, y: number, text: string, { colour, scale }: { colour: number; scale: number }): void {
    let left = x;
    for (const char of text) {
      for (let column = 0; column < GLYPH_WIDTH; column++) {
        for (let row = 0; row < GLYPH_HEIGHT; row++) {
          if (glyphPixel(char, column, row)) {
            this.rectangle(left + column * scale, y + row * scale, scale, scale, colour);
          }
        }
      }
      left += (GLYPH_WIDTH + 1) * scale;
    }
  }

  #set(x: number, y: number, colour: number): void {
    if (x >= 0 && y >= 0 && x < this.width && y < this.height) this.pixels[y * this.width + x] = colour;
  }
}

/** Width of a text drawn at `scale`, pixels. */
export function textWidth(text: string, scale: number): number {
  return text.length * (GLYPH_WIDTH + 1) * scale - scale;
}

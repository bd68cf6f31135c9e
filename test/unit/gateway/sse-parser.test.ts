import { array, assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SseParser, type StreamEvent } from '../../../src/gateway/sse-parser.js';

function parse(chunks: Uint8Array[], maxChars = 10_000): StreamEvent[] {
  const events: StreamEvent[] = [];
  const parser = new SseParser(maxChars, (event) => events.push(event));
  for (const chunk of chunks) parser.push(chunk);
  return events;
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe('SseParser', () => {
  it.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
    ['CR', '\r'],
  ])('reads events whose lines end in %s', (_name, end) => {
    const text = ['id: 7', 'event: state', 'data: {"a":', 'data:1}', '', ': heartbeat', 'data: next', '', ''].join(end);
    expect(parse([bytes(text)])).toEqual([
      { event: 'state', data: '{"a":\n1}', id: '7' },
      { event: 'message', data: 'next', id: '7' },
    ]);
  });

  it('gives the same events wherever the chunks break', () => {
    const text = 'id: 1\r\nevent: command\r\ndata: "é €"\r\n\r\n:c\r\ndata: two\n\nevent: none\n\ndata: three\r\r';
    const whole = parse([bytes(text)]);
    expect(whole).toHaveLength(3);
    assert(
      property(array(integer({ min: 1, max: 9 }), { maxLength: 60 }), (sizes) => {
        const all = bytes(text);
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) {
          chunks.push(all.subarray(at, at + size));
          at += size;
        }
        chunks.push(all.subarray(at));
        expect(parse(chunks)).toEqual(whole);
      }),
    );
  });

  it('drops what stands unfinished at the end', () => {
    expect(parse([bytes('data: whole\n\ndata: half')])).toEqual([{ event: 'message', data: 'whole', id: '' }]);
  });

  it('refuses an event beyond the limit, with and without line ends', () => {
    expect(() => parse([bytes(`data: ${'x'.repeat(200)}`)], 100)).toThrow('longer than 100 characters');
    expect(() => parse([bytes('data: 0123456789\n'.repeat(20))], 100)).toThrow('longer than 100 characters');
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parse([bytes('data: '), new Uint8Array([0xff, 0xfe, 0x00]), bytes('\n\n')])).toThrow(
      'encoded data was not valid',
    );
  });
});

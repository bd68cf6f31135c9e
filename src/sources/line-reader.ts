import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { PassThrough } from 'node:stream';

/** A recording that cannot be used; the message names file, line and fix. */
export class RecordedDataError extends Error {
  override name = 'RecordedDataError';
}

export interface NumberedLine {
  /** From 1. */
  line: number;
  text: string;
}

/** Longest line of a recording, bytes. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;
const LF = 10;

/**
 * Lines of a text file, or of a gzip file when its name ends in `.gz`. Holds one line at a time, never more than the
 * limit. Empty lines are left out.
 *
 * @throws RecordedDataError when the file cannot be read, is not whole, or has a line beyond the limit
 */
export async function* readLines(file: string, maxLineBytes = MAX_LINE_BYTES): AsyncGenerator<NumberedLine> {
  const output = new PassThrough();
  const input = createReadStream(file);
  const flow = file.endsWith('.gz') ? pipeline(input, createGunzip(), output) : pipeline(input, output);
  const failure = flow.then(
    () => undefined,
    (fault: unknown) => fault,
  );
  let line = 0;
  let pieces: Buffer[] = [];
  let bytes = 0;
  const take = (): NumberedLine | undefined => {
    line++;
    const text = Buffer.concat(pieces).toString('utf8').trim();
    pieces = [];
    bytes = 0;
    return text === '' ? undefined : { line, text };
  };
  try {
    for await (const chunk of output) {
      if (!(chunk instanceof Buffer)) continue;
      let start = 0;
      for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
        pieces.push(chunk.subarray(start, end));
        start = end + 1;
        const taken = take();
        if (taken !== undefined) yield taken;
      }
      const rest = chunk.subarray(start);
      bytes += rest.length;
      if (bytes > maxLineBytes) throw new LineTooLong();
      pieces.push(rest);
    }
    const taken = take();
    if (taken !== undefined) yield taken;
  } catch (fault) {
    if (fault instanceof LineTooLong) {
      throw new RecordedDataError(`${file}:${line + 1}: a line is longer than ${maxLineBytes} bytes; one event a line`);
    }
    throw fault === (await failure) ? unreadable(file, line, fault) : fault;
  } finally {
    input.destroy();
    output.destroy();
  }
}

class LineTooLong extends Error {}

function unreadable(file: string, line: number, fault: unknown): RecordedDataError {
  const cause = fault instanceof Error ? fault.message : String(fault);
  return new RecordedDataError(`${file}:${line + 1}: cannot be read: ${cause}`, { cause: fault });
}

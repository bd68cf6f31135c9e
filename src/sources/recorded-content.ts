import { z } from 'zod';
import { RecordedDataError, readLines } from './line-reader.js';
import { parseRecordedLine } from './recorded-event.js';

const contentSchema = z.object({ sessionId: z.string().min(1), seq: z.number().int().min(0), text: z.string() });

/** Most result text held in memory, characters. */
const MAX_CONTENT_CHARS = 512 * 1024 * 1024;

/** What tools gave back in a recording, by session and the call's seq. */
export class RecordedContent {
  readonly #texts = new Map<string, string>();

  textOf(sessionId: string, seq: number): string | undefined {
    return this.#texts.get(`${seq}:${sessionId}`);
  }

  get size(): number {
    return this.#texts.size;
  }

  /** Reads content files whole. @throws RecordedDataError naming file and line */
  static async read(files: readonly string[], maxChars = MAX_CONTENT_CHARS): Promise<RecordedContent> {
    const content = new RecordedContent();
    let chars = 0;
    for (const file of files) {
      for await (const { line, text: json } of readLines(file)) {
        const { sessionId, seq, text } = parseRecordedLine(json, `${file}:${line}`, contentSchema);
        chars += text.length;
        if (chars > maxChars) {
          throw new RecordedDataError(`${file}:${line}: more than ${maxChars} characters of content; give fewer files`);
        }
        content.#texts.set(`${seq}:${sessionId}`, text);
      }
    }
    return content;
  }
}

/** One event of a `text/event-stream`. */
export interface StreamEvent {
  event: string;
  data: string;
  /** The stream's last id when this event came; empty when there was none. */
  id: string;
}

const LF = 10;
const CR = 13;

/**
 * Reads a `text/event-stream` (HTML Standard, 9.2.6) from chunks that may break anywhere.
 *
 * Stricter than a browser: bytes that are not UTF-8 and events beyond the limit are errors, because a gateway must
 * not enforce a guess. What stands unfinished when the stream ends is dropped, as the standard says.
 */
export class SseParser {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #maxChars: number;
  readonly #deliver: (event: StreamEvent) => void;
  #text = '';
  #event = '';
  #data: string[] = [];
  #dataChars = 0;
  #id = '';
  #lastId = '';
  #afterCr = false;

  /**
   * @param maxChars longest event, characters
   * @param deliver gets every whole event; what it throws ends the reading
   */
  constructor(maxChars: number, deliver: (event: StreamEvent) => void) {
    this.#maxChars = maxChars;
    this.#deliver = deliver;
  }

  /** The stream's place after everything delivered so far; heartbeats without data move it on too. */
  get lastId(): string {
    return this.#lastId;
  }

  /** @throws TypeError for bytes that are not UTF-8; RangeError for an event beyond the limit */
  push(chunk: Uint8Array): void {
    const fresh = this.#decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let i = 0; i < fresh.length; i++) {
      const code = fresh.charCodeAt(i);
      const skip = this.#afterCr && code === LF;
      this.#afterCr = code === CR;
      if (skip) {
        start = i + 1;
      } else if (code === LF || code === CR) {
        const line = this.#text + fresh.slice(start, i);
        this.#text = '';
        start = i + 1;
        this.#line(line);
      }
    }
    this.#text += fresh.slice(start);
    this.#bound(this.#text.length);
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'data') {
      this.#bound(value.length);
      this.#data.push(value);
      this.#dataChars += value.length;
    }
  }

  #dispatch(): void {
    const event = { event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n'), id: this.#id };
    const empty = this.#data.length === 0;
    this.#event = '';
    this.#data = [];
    this.#dataChars = 0;
    if (!empty) this.#deliver(event);
    this.#lastId = event.id;
  }

  #bound(more: number): void {
    if (this.#dataChars + more > this.#maxChars) {
      throw new RangeError(`an event is longer than ${this.#maxChars} characters`);
    }
  }
}

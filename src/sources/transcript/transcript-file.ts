import { open, type FileHandle } from 'node:fs/promises';
import { stableId } from '../../lib/hash.js';
import type { WireObservation } from '../../model/wire.js';
import { MAX_LINE_BYTES } from '../line-reader.js';
import { ClaudeTranscript } from './claude-transcript.js';
import type { Place } from './offsets-file.js';

const HEAD_BYTES = 256;
const LF = 10;

/** What one look at a file gave. */
export interface Taken {
  observations: WireObservation[];
  /** Where to begin again when the observer has committed these. */
  place: Place;
  /** Lines that are no entries, and lines beyond the limit. */
  unreadable: number;
  /** There is more to be read at once. */
  hasMore: boolean;
}

/** Follows one growing transcript. Reads at most one longest line at a time, whatever the file has grown to. */
export class TranscriptFile {
  readonly #path: string;
  readonly #agentId: string;
  #transcript: ClaudeTranscript;
  /** End of the last line taken. */
  #offset: number;
  #head: Place['head'];
  /** In a line beyond the limit: the rest of it is passed over. */
  #isSkipping = false;

  constructor(path: string, agentId: string, place: Place) {
    this.#path = path;
    this.#agentId = agentId;
    this.#transcript = new ClaudeTranscript(agentId);
    this.#offset = place.offset;
    this.#head = place.head;
  }

  /** A place behind everything that a file holds now. @throws what the file system says */
  static async endOf(path: string): Promise<Place> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      return { offset: size, head: await headOf(file, size) };
    } finally {
      await file.close();
    }
  }

  /** Reads on. @throws what the file system says */
  async take(): Promise<Taken> {
    const file = await open(this.#path, 'r');
    try {
      const { size } = await file.stat();
      if (size < this.#offset || !(await this.#isSame(file))) this.#begin();
      return await this.#takeFrom(file, size);
    } finally {
      await file.close();
    }
  }

  async #takeFrom(file: FileHandle, size: number): Promise<Taken> {
    const length = Math.min(MAX_LINE_BYTES, size - this.#offset);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, this.#offset);
    const chunk = buffer.subarray(0, bytesRead);
    const observations: WireObservation[] = [];
    let unreadable = 0;
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      const line = chunk.subarray(start, end).toString('utf8').trim();
      const found = this.#isSkipping || line === '' ? [] : this.#transcript.read(line, this.#offset + start);
      this.#isSkipping = false;
      if (found === undefined) unreadable++;
      else for (const one of found) observations.push(one);
      start = end + 1;
    }
    if (start === 0 && bytesRead === MAX_LINE_BYTES) {
      if (!this.#isSkipping) unreadable++;
      this.#isSkipping = true;
      start = bytesRead;
    }
    this.#offset += start;
    if (this.#head.bytes < HEAD_BYTES) this.#head = await headOf(file, this.#offset);
    const place = { offset: this.#transcript.restartOffset(this.#offset), head: this.#head };
    return { observations, place, unreadable, hasMore: start > 0 && this.#offset < size };
  }

  /** Whether it begins as it did: a file that took its name is another one, also where it is longer. */
  async #isSame(file: FileHandle): Promise<boolean> {
    const { bytes, hash } = this.#head;
    return (await headOf(file, bytes)).hash === hash;
  }

  #begin(): void {
    this.#transcript = new ClaudeTranscript(this.#agentId);
    this.#offset = 0;
    this.#head = NO_HEAD;
    this.#isSkipping = false;
  }
}

async function headOf(file: FileHandle, upTo: number): Promise<Place['head']> {
  const length = Math.min(HEAD_BYTES, upTo);
  if (length === 0) return NO_HEAD;
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
  return { bytes: bytesRead, hash: stableId('head', buffer.subarray(0, bytesRead).toString('base64')) };
}

const NO_HEAD = { bytes: 0, hash: '' };
/** Where a file that was never seen begins. */
export const BEGINNING: Place = { offset: 0, head: NO_HEAD };

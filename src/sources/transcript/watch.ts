import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pause } from '../../lib/backoff.js';
import { BoundedMap } from '../../lib/bounded-map.js';
import type { Refusal, WireObservation } from '../../model/wire.js';
import { ReplayError } from '../observer-client.js';
import { RecordedDataError } from '../line-reader.js';
import type { OffsetsFile, Place } from './offsets-file.js';
import { BEGINNING, TranscriptFile } from './transcript-file.js';

/** Files followed; the newest, where there are more. */
const MAX_FILES = 20_000;
const MAX_FOLDERS = 20_000;
/** Files whose open calls are held; another one begins again at its first open call. */
const MAX_HELD = 512;
const MAX_BATCH = 500;
const POLL_MS = 1_000;
const AWAY_MS = 2_000;

/** Running totals. */
export interface WatchCounts {
  files: number;
  sent: number;
  refused: number;
  /** Lines that are no entries of a transcript. */
  unreadable: number;
  /** The observer does not take anything at present; nothing is read meanwhile. */
  isAway: boolean;
  /** The first record that the observer refused, and why. */
  firstRefusal?: Refusal;
}

export interface WatchOptions {
  directory: string;
  agentId: string;
  offsets: OffsetsFile;
  /** Resolves when the observer has committed these. */
  post: (observations: readonly WireObservation[]) => Promise<Refusal[]>;
  /** Takes in also what lies there when it is run for the first time. */
  withHistory: boolean;
  /** Returns when all that is there now has been taken in. */
  once: boolean;
  signal: AbortSignal;
  onProgress: (counts: WatchCounts) => void;
}

/**
 * Follows the transcripts (`*.jsonl`) in a folder and the folders in it, and sends what they say to an observer. Places
 * are remembered when the observer has committed what lies before them, so that nothing is lost where it is away or where
 * this process is killed; what is sent twice has the same ids.
 *
 * @throws RecordedDataError when the folder cannot be read, ReplayError when the observer refuses the key or the agent
 */
export async function watchTranscripts(options: WatchOptions): Promise<WatchCounts> {
  const watch = new Watch(options);
  /* oxlint-disable no-await-in-loop -- one look after the other */
  for (let isFirst = true; !options.signal.aborted; isFirst = false) {
    await watch.look(isFirst);
    if (options.once) break;
    await pause(POLL_MS, options.signal);
  }
  /* oxlint-enable no-await-in-loop */
  return watch.counts;
}

class Watch {
  readonly #options: WatchOptions;
  readonly #held = new BoundedMap<string, TranscriptFile>(MAX_HELD);
  /** How large each file was when all of it had been taken in. */
  readonly #taken = new Map<string, number>();
  readonly counts: WatchCounts = { files: 0, sent: 0, refused: 0, unreadable: 0, isAway: false };

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  async look(isFirst: boolean): Promise<void> {
    const { directory, offsets, signal } = this.#options;
    const found = await transcriptsIn(directory);
    const names = new Set(found.map(({ name }) => name));
    offsets.keepOnly(names);
    for (const name of this.#taken.keys()) if (!names.has(name)) this.#taken.delete(name);
    this.counts.files = found.length;
    const isPassedOver = isFirst && offsets.isNew && !this.#options.withHistory;
    /* oxlint-disable no-await-in-loop -- one file after the other keeps memory flat and order plain */
    for (const { name, path, sizeBytes } of found) {
      if (signal.aborted) return;
      if (isPassedOver) await unlessGone(async () => offsets.set(name, await TranscriptFile.endOf(path)));
      else if (this.#taken.get(name) !== sizeBytes) await this.#takeIn(name, path, sizeBytes);
    }
    /* oxlint-enable no-await-in-loop */
    offsets.save();
    this.#options.onProgress(this.counts);
  }

  async #takeIn(name: string, path: string, sizeBytes: number): Promise<void> {
    const { agentId, offsets, signal } = this.#options;
    const place = offsets.get(name) ?? BEGINNING;
    const file = this.#held.get(name) ?? new TranscriptFile(path, agentId, place);
    this.#held.set(name, file);
    /* oxlint-disable no-await-in-loop -- what was read is committed before more is read */
    for (let hasMore = true; hasMore && !signal.aborted;) {
      const taken = await unlessGone(() => file.take());
      if (taken === undefined) return;
      this.counts.unreadable += taken.unreadable;
      await this.#send(taken.observations);
      if (signal.aborted) return;
      this.#remember(name, taken.place);
      ({ hasMore } = taken);
    }
    /* oxlint-enable no-await-in-loop */
    this.#taken.set(name, sizeBytes);
  }

  #remember(name: string, place: Place): void {
    this.#options.offsets.set(name, place);
    this.#options.offsets.save();
  }

  async #send(observations: readonly WireObservation[]): Promise<void> {
    const { agentId, signal, onProgress, post } = this.#options;
    /* oxlint-disable no-await-in-loop -- in order, and again until it is taken */
    for (let start = 0; start < observations.length && !signal.aborted;) {
      const batch = observations.slice(start, start + MAX_BATCH);
      try {
        const refused = await post(batch);
        const [first] = refused;
        const bound = refused.find(({ field }) => field === 'agentId');
        // A key for other agents: what is read now would be lost when the key is mended.
        if (bound !== undefined && refused.length === batch.length) {
          throw new ReplayError(`nothing of agent "${agentId}" is taken: ${bound.reason}`, { status: 403 });
        }
        this.counts.isAway = false;
        this.counts.sent += batch.length;
        this.counts.refused += refused.length;
        if (first !== undefined) this.counts.firstRefusal ??= first;
        start += batch.length;
      } catch (fault) {
        if (!isAway(fault)) throw fault;
        this.counts.isAway = true;
      }
      onProgress(this.counts);
      if (this.counts.isAway) await pause(AWAY_MS, signal);
    }
    /* oxlint-enable no-await-in-loop */
  }
}

/** No answer, overload or a fault at the other end: to be tried again for as long as it takes. */
function isAway(fault: unknown): boolean {
  if (!(fault instanceof ReplayError)) return false;
  return fault.status === undefined || fault.status >= 500 || fault.status === 429;
}

interface Found {
  /** Below the folder. */
  name: string;
  path: string;
  sizeBytes: number;
  changedMs: number;
}

async function transcriptsIn(directory: string): Promise<Found[]> {
  const paths: string[] = [];
  const folders = [directory];
  /* oxlint-disable no-await-in-loop -- thousands at once would use up the open files */
  for (const folder of folders) {
    let entries: Dirent[];
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch (fault) {
      // One further down may have gone meanwhile.
      if (folder !== directory) continue;
      const cause = fault instanceof Error ? fault.message : String(fault);
      throw new RecordedDataError(`${directory}: cannot be read; name the folder with the transcripts (${cause})`);
    }
    for (const entry of entries) {
      // Links are not followed: they may lead anywhere.
      if (entry.isDirectory() && folders.length < MAX_FOLDERS) folders.push(join(folder, entry.name));
      else if (entry.isFile() && entry.name.endsWith('.jsonl')) paths.push(join(folder, entry.name));
    }
  }
  const found: Found[] = [];
  for (const path of paths) {
    const facts = await unlessGone(() => stat(path));
    if (facts === undefined) continue;
    found.push({ name: relative(directory, path), path, sizeBytes: facts.size, changedMs: facts.mtimeMs });
  }
  /* oxlint-enable no-await-in-loop */
  const newest = found.sort((a, b) => b.changedMs - a.changedMs || (a.name < b.name ? -1 : 1)).slice(0, MAX_FILES);
  return newest.reverse();
}

/** Files come and go, and one may not be readable; the others are followed all the same. */
async function unlessGone<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (fault) {
    if (fault instanceof Error && 'syscall' in fault) return undefined;
    throw fault;
  }
}

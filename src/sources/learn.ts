import type { Refusal, WireObservation } from '../model/wire.js';
import { mergeByTime } from './merge.js';
import { isRecord, ReplayError, type ObserverClient } from './observer-client.js';
import { readRecordedSteps, type Speaker } from './recorded-session.js';

export interface LearnOptions {
  observer: ObserverClient;
  /** One key per speaker: training data, too, comes from separate hands. */
  keys: Readonly<Record<Speaker, string>>;
  files: readonly string[];
  onProgress?: (events: number) => void;
}

const BATCH = 200;

/**
 * Posts recorded clean sessions to the observer, in order of event time. Ordered within a session over all speakers:
 * a batch ends where the speaker changes.
 *
 * @returns number of events sent, and what was refused
 */
export async function learn({
  observer,
  keys,
  files,
  onProgress,
}: LearnOptions): Promise<{ events: number; refused: Refusal[] }> {
  let batch: WireObservation[] = [];
  let speaker: Speaker = 'governance';
  let events = 0;
  const refused: Refusal[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    refused.push(...(await observer.post(batch, keys[speaker])));
    batch = [];
    onProgress?.(events);
  };
  for await (const step of mergeByTime(files.map((file) => readRecordedSteps(file)))) {
    if (step.speaker !== speaker || batch.length >= BATCH) await flush();
    speaker = step.speaker;
    batch.push(...step.observations);
    events++;
  }
  await flush();
  return { events, refused };
}

/** Whether everything that was taken in is also scored and committed: `GET /v1/status` says `scoring.backlog` is 0. */
export function isScored(status: unknown): boolean {
  return isRecord(status) && isRecord(status['scoring']) && status['scoring']['backlog'] === 0;
}

/** Waits until everything is scored. @throws ReplayError after `limitMs` */
export async function waitUntilScored(
  observer: ObserverClient,
  {
    key,
    limitMs,
    sleep,
    elapsedMs,
  }: {
    key: string;
    limitMs: number;
    sleep: (ms: number) => Promise<void>;
    elapsedMs: () => number;
  },
): Promise<void> {
  const startMs = elapsedMs();
  for (;;) {
    const status = await observer.status(key);
    if (isScored(status)) return;
    if (elapsedMs() - startMs > limitMs) {
      throw new ReplayError(
        `the observer has not scored everything within ${limitMs} ms: ${JSON.stringify(status).slice(0, 500)}`,
      );
    }
    await sleep(100);
  }
}

import type { Clock } from '../lib/clock.js';
import type { Heartbeat } from '../model/health.js';
import { HEARTBEAT_KIND } from '../model/signed-message.js';
import type { MessageSigner } from '../signing/port.js';
import type { ScoringProgress } from './scoring-progress.js';

export const HEARTBEAT_RESULTS = ['sent', 'failed', 'withheld'] as const;
export type HeartbeatResult = (typeof HEARTBEAT_RESULTS)[number];

export interface HeartbeatOptions {
  progress: Pick<ScoringProgress, 'through'>;
  signer: MessageSigner;
  clock: Clock;
  /** A sign that is older says nothing, ms. */
  freshMs: number;
  /** Absent: nothing is pushed, and the sign can only be asked for. */
  push?: {
    everyMs: number;
    /** @throws Error that says what went wrong, without anything that the other side wrote */
    post: (headers: Record<string, string>, body: string, signal: AbortSignal) => Promise<{ status: number }>;
  };
  onNotice: (level: 'info' | 'warn', message: string) => void;
}

/**
 * The dead man's switch: beats only when a tick has gone from the log through scoring and the outbox since the beat
 * before. An observer that hangs goes silent, and an outside system that counts on the beat tells people; nothing in
 * here could.
 */
export class HeartbeatSource {
  readonly #options: HeartbeatOptions;
  readonly #stopping = new AbortController();
  readonly results: Record<HeartbeatResult, number> = { sent: 0, failed: 0, withheld: 0 };
  #lastSentMs: number | undefined;
  #lastCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #pushing: Promise<void> | undefined;
  #wasWell = true;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** When the outside system last took a beat, epoch ms. */
  get lastSentMs(): number | undefined {
    return this.#lastSentMs;
  }

  start(): void {
    const { push } = this.#options;
    if (push === undefined) return;
    this.#timer = setInterval(() => {
      // One at a time: a receiver that hangs gets no crowd.
      this.#pushing ??= this.#beat(push).finally(() => {
        this.#pushing = undefined;
      });
    }, push.everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#pushing;
  }

  /** The newest sign of life; undefined where scoring has not gone all the way for too long. */
  async current(): Promise<Heartbeat | undefined> {
    const { progress, clock, freshMs } = this.#options;
    const { count, time } = progress.through;
    return count === 0 || clock.now() - time > freshMs ? undefined : this.#sign();
  }

  async #sign(): Promise<Heartbeat> {
    const { progress, signer } = this.#options;
    const { time, position } = progress.through;
    const message = { kind: HEARTBEAT_KIND, audience: HEARTBEAT_KIND, sequence: position, body: { time, position } };
    return { time, position, jws: await signer.sign({ ...message, kind: HEARTBEAT_KIND }) };
  }

  async #beat({ post }: NonNullable<HeartbeatOptions['push']>): Promise<void> {
    const { progress, clock, onNotice } = this.#options;
    const { count } = progress.through;
    if (count === this.#lastCount) {
      this.results.withheld++;
      if (this.#wasWell) onNotice('warn', 'the heartbeat is withheld: scoring has not advanced since the last one');
      this.#wasWell = false;
      return;
    }
    try {
      const body = JSON.stringify(await this.#sign());
      const headers = { 'content-type': 'application/json', 'user-agent': 'parallax' };
      const { status } = await post(headers, body, this.#stopping.signal);
      if (status < 200 || status > 299) throw new Error(`the receiver answered ${status}`);
      this.#lastCount = count;
      this.results.sent++;
      this.#lastSentMs = clock.now();
      if (!this.#wasWell) onNotice('info', 'the heartbeat is taken again');
      this.#wasWell = true;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.results.failed++;
      const why = error instanceof Error ? error.message : String(error);
      if (this.#wasWell) onNotice('warn', `the heartbeat could not be delivered: ${why}`);
      this.#wasWell = false;
    }
  }
}

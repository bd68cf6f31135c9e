import type { Refusal, WireObservation } from '../model/wire.js';

export interface ObserverClientOptions {
  url: string;
  fetch: typeof globalThis.fetch;
  /** Waits `ms`; a test gives one that does not wait. */
  sleep: (ms: number) => Promise<void>;
  /** Tries before giving up on one batch. */
  tries?: number;
}

/** The observer (or gateway) cannot be used for a replay; the message says why. */
export class ReplayError extends Error {
  override name = 'ReplayError';
  /** HTTP status of the last answer; undefined where there was none. */
  readonly status: number | undefined;

  constructor(message: string, options: ErrorOptions & { status?: number | undefined } = {}) {
    super(message, options);
    this.status = options.status;
  }
}

/** An incident, as far as a replay's report needs it. */
export interface SeenIncident {
  id: string;
  sessionId: string | undefined;
}

const TRIES = 8;
const FIRST_WAIT_MS = 50;
const MAX_WAIT_MS = 5_000;

/** Speaks to the observer for emitters that are being replayed. Each call names the key it speaks under. */
export class ObserverClient {
  readonly #options: ObserverClientOptions;

  constructor(options: ObserverClientOptions) {
    this.#options = { ...options, url: options.url.replace(/\/$/, '') };
  }

  /**
   * Posts observations and waits until they are committed. Overload and faults are retried; ids make that harmless.
   *
   * @returns what the observer refused @throws ReplayError when it does not take them at all
   */
  async post(observations: readonly WireObservation[], key: string): Promise<Refusal[]> {
    const report = await this.#request('/v1/observations', key, JSON.stringify(observations));
    const refused = isRecord(report) && Array.isArray(report['refused']) ? report['refused'] : [];
    return refused.map((item: unknown) => {
      const { index, field, reason } = isRecord(item) ? item : {};
      return { index: Number(index), field: String(field), reason: String(reason) };
    });
  }

  /** Incidents the observer knows now. */
  async incidents(key: string, limit: number): Promise<SeenIncident[]> {
    const answer = await this.#request(`/v1/incidents?limit=${limit}`, key);
    const list: unknown = isRecord(answer) ? answer['incidents'] : answer;
    if (!Array.isArray(list)) throw new ReplayError('the observer gave no list of incidents');
    return list.flatMap((item: unknown) => {
      if (!isRecord(item) || typeof item['id'] !== 'string') return [];
      return [{ id: item['id'], sessionId: typeof item['sessionId'] === 'string' ? item['sessionId'] : undefined }];
    });
  }

  /** How the observer's baselines learn from here on. Needs an admin key. */
  async setLearning(mode: 'on' | 'vouched' | 'frozen', key: string): Promise<void> {
    await this.#request('/v1/learning', key, JSON.stringify({ mode }));
  }

  /** Has thresholds computed anew from the clean history. Needs an admin key. */
  async calibrate(key: string): Promise<void> {
    await this.#request('/v1/calibrate', key, '{}');
  }

  async status(key: string): Promise<unknown> {
    return this.read('/v1/status', key);
  }

  /** What a `GET` of the API answers. @param path with its query, `/v1/incidents?limit=10` */
  async read(path: string, key: string): Promise<unknown> {
    return this.#request(path, key);
  }

  async #request(path: string, key: string, body?: string): Promise<unknown> {
    const { url, fetch, sleep, tries = TRIES } = this.#options;
    let cause = '';
    let status: number | undefined;
    for (let attempt = 0; attempt < tries; attempt++) {
      if (attempt > 0) await sleep(Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt));
      status = undefined;
      try {
        const headers: Record<string, string> = { authorization: `Bearer ${key}` };
        if (body !== undefined) headers['content-type'] = 'application/json';
        const init: RequestInit = { method: body === undefined ? 'GET' : 'POST', headers, redirect: 'error' };
        const response = await fetch(url + path, body === undefined ? init : { ...init, body });
        const text = await response.text();
        if (response.ok) return JSON.parse(text);
        ({ status } = response);
        cause = `${response.status} ${text.slice(0, 300)}`;
        if (response.status < 500 && response.status !== 429) break;
      } catch (fault) {
        const inner = fault instanceof Error && fault.cause instanceof Error ? ` (${fault.cause.message})` : '';
        cause = `${fault instanceof Error ? fault.message : String(fault)}${inner}`;
      }
    }
    throw new ReplayError(`${url}${path}: ${cause.trim()}`, { status });
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

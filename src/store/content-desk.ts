import type { Clock } from '../lib/clock.js';
import { stableId } from '../lib/hash.js';
import type { ContentRead } from '../model/content-read.js';
import type { Payload } from '../model/observation.js';
import { mayActFor, type Principal } from '../model/principal.js';
import { StoreError } from './client.js';
import type { ContentReads } from './port.js';

export interface ContentDeskOptions {
  /** Undefined while ClickHouse is not open. */
  reads: () => ContentReads | undefined;
  /** Resolves when the log has committed it. */
  record: (read: ContentRead) => Promise<void>;
  clock: Clock;
}

/** Gives content to people, and only after it is in the log who reads what and why. */
export class ContentDesk {
  readonly #options: ContentDeskOptions;
  #count = 0;

  constructor(options: ContentDeskOptions) {
    this.#options = options;
  }

  /**
   * @returns undefined where there is no content that the reader may see; `away` while the store does not answer
   * @throws whatever kept the log from taking the record; nothing was read then
   */
  async read(reader: Principal, observationId: string, reason: string): Promise<Payload | undefined | 'away'> {
    const { record, clock } = this.#options;
    const payload = await this.#ask((reads) => reads.payload(reader.tenant, observationId));
    if (payload === 'away' || payload === undefined || !mayActFor(reader, payload.agentId)) {
      return payload === 'away' ? payload : undefined;
    }
    const time = clock.now();
    await record({
      // The count tells reads of one millisecond apart.
      id: stableId('read', reader.id, observationId, time, this.#count++),
      time,
      tenant: reader.tenant,
      readBy: reader.id,
      role: reader.role,
      observationId,
      agentId: payload.agentId,
      reason,
    });
    return payload;
  }

  /** Who read what, newest first; the latest follow within seconds. */
  audit(tenant: string, limit: number): Promise<ContentRead[] | 'away'> {
    return this.#ask((reads) => reads.reads({ tenant, limit }));
  }

  async #ask<T>(question: (reads: ContentReads) => Promise<T>): Promise<T | 'away'> {
    const reads = this.#options.reads();
    if (reads === undefined) return 'away';
    try {
      return await question(reads);
    } catch (error) {
      if (error instanceof StoreError) return 'away';
      throw error;
    }
  }
}

import { stableId } from '../lib/hash.js';
import type { Stream } from '../model/observation.js';
import type { Principal } from '../model/principal.js';
import type { SourceTrouble, SourceTroubleKind } from '../model/source-trouble.js';
import { cutText, visibleText } from './fold-text.js';

/** Without more of it for so long a run of trouble is over; what comes then is a new one. */
const RUN_MS = 15 * 60_000;
/** A run is reported at once, and then after twice as long each time, whoever does what. */
const REPORT_MS = 30_000;
const MAX_REPORT_MS = 10 * 60_000;
/** Runs known at once: keys of the install times kinds, so that the bound is never met by honest configurations. */
const MAX_RUNS = 10_000;
const MAX_DETAIL_CHARS = 300;

interface Run {
  trouble: Omit<SourceTrouble, 'id' | 'time'>;
  lastAt: number;
  reportedAt: number;
  restMs: number;
  reportedCount: number;
}

/** One more of a kind of trouble with an emitter. */
export interface Noted {
  kind: SourceTroubleKind;
  stream?: Stream;
  detail: string;
  /** How often; 1 when left out. `total` instead where the sender of the note keeps count. */
  count?: number;
  total?: number;
}

/**
 * Gathers what is wrong with emitters into few records for the log: a flood of forged records is one record now, one after
 * half a minute, one after a minute more.
 */
export class SourceWatch {
  readonly #runs = new Map<string, Run>();
  /** Something may be due: most requests find nothing wrong, and look no further. */
  #hasNews = false;

  note({ id, tenant }: Pick<Principal, 'id' | 'tenant'>, noted: Noted, now: number): void {
    const { kind, stream, count = 1, total } = noted;
    const key = JSON.stringify([tenant, id, kind, stream ?? '']);
    let run = this.#runs.get(key);
    if (run === undefined || now - run.lastAt > RUN_MS) {
      if (run === undefined && this.#runs.size >= MAX_RUNS) return;
      const trouble = { tenant, principalId: id, kind, since: now, count: 0, detail: '' };
      run = {
        trouble: stream === undefined ? trouble : { ...trouble, stream },
        lastAt: now,
        reportedAt: -Infinity,
        restMs: REPORT_MS,
        reportedCount: 0,
      };
      this.#runs.set(key, run);
    }
    this.#hasNews = true;
    run.lastAt = now;
    run.trouble.count = total ?? run.trouble.count + count;
    run.trouble.detail = visibleText(cutText(noted.detail, MAX_DETAIL_CHARS));
  }

  /** Reports that are due, for the log. @param now processing time, epoch ms */
  due(now: number): SourceTrouble[] {
    const out: SourceTrouble[] = [];
    if (!this.#hasNews) return out;
    for (const [key, run] of this.#runs) {
      const { trouble } = run;
      if (trouble.count !== run.reportedCount && now - run.reportedAt >= run.restMs) {
        if (run.reportedCount > 0) run.restMs = Math.min(2 * run.restMs, MAX_REPORT_MS);
        run.reportedAt = now;
        run.reportedCount = trouble.count;
        const { tenant, principalId, kind, stream = '', since, count } = trouble;
        out.push({ ...trouble, id: stableId('src', tenant, principalId, kind, stream, since, count), time: now });
      } else if (now - run.lastAt > RUN_MS) this.#runs.delete(key);
    }
    this.#hasNews = this.#runs.size > 0;
    return out;
  }
}

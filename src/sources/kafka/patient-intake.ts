import type { Intake } from '../../api/port.js';
import { backoffMs, pause } from '../../lib/backoff.js';
import { OverloadError } from '../../lib/overload.js';
import type { IntakeReport } from '../../model/wire.js';

const BACKOFF = { baseMs: 200, maxMs: 10_000, random: Math.random };

/** Nobody waits any more for what should have been taken in. */
export class GivenUpError extends Error {
  override name = 'GivenUpError';
}

export interface Patience {
  /** Gives up when it aborts. */
  signal: AbortSignal;
  /** Told of each try that failed; undefined when one succeeded. */
  told: (error: unknown) => void;
  /** Told of everything that was taken in. */
  taken: (report: IntakeReport) => void;
}

/**
 * An intake that is waited for: what cannot be taken in now is offered again, as it is, until it can. What no waiting mends
 * is thrown: a record that the log will never take, a fault of the program.
 */
export function patientIntake(intake: Intake, { signal, told, taken }: Patience): Intake {
  return {
    accept: async (...batch) => {
      for (let attempt = 0; ; attempt++) {
        if (signal.aborted) throw new GivenUpError('nobody waits any more');
        try {
          const report = await intake.accept(...batch);
          told(undefined);
          taken(report);
          return report;
        } catch (error) {
          if (!isPassing(error)) throw error;
          told(error);
          const asked = error instanceof OverloadError ? error.retryAfterSeconds * 1_000 : 0;
          await pause(Math.max(asked, backoffMs(attempt, BACKOFF)), signal);
        }
      }
    },
  };
}

/** What another try does not change: a record that is too large for the log's topic. */
const REFUSED = 'KAFKA_REFUSED';

/** Whether waiting may help: too much work, a log that is full or away, a mapping that is not there. */
function isPassing(error: unknown): boolean {
  if (error instanceof OverloadError) return true;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // Node names mistakes of the program so.
  return typeof code === 'string' && code !== REFUSED && !code.startsWith('ERR_');
}

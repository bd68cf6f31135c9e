import type { Clock } from '../../lib/clock.js';
import { pause } from '../backoff.js';
import type { CallAttempt, GatewayClient, GatewayDecision } from '../port.js';

/** A call that waits for a person. */
export interface HeldCall {
  attempt: CallAttempt;
  reason: string;
  /** What the observer or a restriction said; absent where only a rule of this gateway asks. */
  decision?: GatewayDecision;
}

export type HoldOutcome =
  | { decided: 'approved' | 'refused'; by: string; approvalId?: string; reason?: string }
  /** The observer itself says no by now. */
  | { decided: 'denied'; decision: GatewayDecision; approvalId?: string }
  | { decided: 'timeout'; approvalId?: string };

/** Where people decide about held calls. */
export interface ApprovalDesk {
  /** @param signal the client gave up */
  wait(held: HeldCall, options: { withinMs: number; signal: AbortSignal }): Promise<HoldOutcome>;
}

/** Asks the observer again and again: what a person decides there shows in its answer. */
export function askingDesk({
  kit,
  clock,
  pollMs,
}: {
  kit: Pick<GatewayClient, 'check'>;
  clock: Clock;
  pollMs: number;
}): ApprovalDesk {
  return {
    wait: async ({ attempt, decision }, { withinMs, signal }) => {
      if (decision === undefined) return { decided: 'timeout' };
      const end = clock.now() + withinMs;
      for (let n = 1; clock.now() + pollMs <= end && !signal.aborted; n++) {
        await pause(pollMs, signal);
        const time = clock.now();
        const again = await kit.check({ ...attempt, time, id: `${attempt.callId}-again-${n}` });
        if (again.decision === 'hold' || again.source === 'posture') continue;
        return {
          decided: again.decision === 'allow' ? 'approved' : 'refused',
          by: 'the observer',
          reason: again.reason,
        };
      }
      return { decided: 'timeout' };
    },
  };
}

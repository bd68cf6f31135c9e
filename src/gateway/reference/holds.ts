/** A call that waits for a person. */
export interface HeldCall {
  id: string;
  agentId: string;
  sessionId: string;
  tool: string;
  reason: string;
  incidentId?: string;
}

export type HoldOutcome = { decided: 'approved' | 'refused'; by: string } | { decided: 'timeout' };

interface Waiting {
  call: HeldCall;
  decide: (outcome: HoldOutcome) => void;
}

/** Calls that wait for a person, each for a limited time. A call that finds no room is not let through. */
export class Holds {
  readonly #waiting = new Map<string, Waiting>();
  readonly #capacity: number;
  readonly #waitMs: number;

  /** @param waitMs how long a person has, ms; 0 refuses at once */
  constructor({ capacity, waitMs }: { capacity: number; waitMs: number }) {
    this.#capacity = capacity;
    this.#waitMs = waitMs;
  }

  list(): HeldCall[] {
    return [...this.#waiting.values()].map((w) => w.call);
  }

  async wait(call: HeldCall): Promise<HoldOutcome> {
    if (this.#waitMs === 0 || this.#waiting.size >= this.#capacity || this.#waiting.has(call.id)) {
      return { decided: 'timeout' };
    }
    const waiting: Waiting = { call, decide: () => {} };
    const decision = new Promise<HoldOutcome>((resolve) => {
      waiting.decide = resolve;
    });
    this.#waiting.set(call.id, waiting);
    const timer = setTimeout(() => waiting.decide({ decided: 'timeout' }), this.#waitMs);
    const outcome = await decision;
    clearTimeout(timer);
    this.#waiting.delete(call.id);
    return outcome;
  }

  /** A person decides. @returns false when no such call waits (any more) */
  decide(id: string, approved: boolean, by: string): boolean {
    const waiting = this.#waiting.get(id);
    waiting?.decide({ decided: approved ? 'approved' : 'refused', by });
    return waiting !== undefined;
  }

  /** Nobody will decide any more. */
  close(): void {
    for (const { decide } of this.#waiting.values()) decide({ decided: 'timeout' });
  }
}

import type { DeclaredCall } from '../model/observation.js';

const MAX_DECLARED = 128;

interface Declared {
  callId: string;
  tool: string;
}

/** Calls that the model announced and that were not attempted yet, oldest first. */
export class DeclaredCalls {
  readonly #open: Declared[];

  constructor(open: readonly Declared[] = []) {
    this.#open = [...open];
  }

  add(declared: readonly DeclaredCall[]): void {
    for (const { callId, tool } of declared) this.#open.push({ callId: callId ?? '', tool });
    this.#open.splice(0, Math.max(0, this.#open.length - MAX_DECLARED));
  }

  /** By id where both sides have one, by tool otherwise. */
  has(call: { callId?: string; tool: string }): boolean {
    return this.#find(call) >= 0;
  }

  /** The call is attempted: it is no longer open. @returns whether it was announced */
  take(call: { callId?: string; tool: string }): boolean {
    const at = this.#find(call);
    if (at >= 0) this.#open.splice(at, 1);
    return at >= 0;
  }

  toPlain(): Declared[] {
    return [...this.#open];
  }

  #find({ callId = '', tool }: { callId?: string; tool: string }): number {
    return this.#open.findIndex((declared) =>
      callId === '' || declared.callId === '' ? declared.tool === tool : declared.callId === callId,
    );
  }
}

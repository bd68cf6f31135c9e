import { BoundedMap } from '../../lib/bounded-map.js';
import type { Ruling, Said } from '../genai/said.js';

const MAX_CALLS = 50_000;

/**
 * Decisions that came as events of their own, until the call's result comes under the same id. Bounded; what has been
 * forgotten, or was decided before a restart, only lacks the words of its decision.
 */
export class ToolDecisions {
  readonly #rulings = new BoundedMap<string, Ruling>(MAX_CALLS);

  /**
   * Keeps a decision, or gives a result the one it was kept for.
   *
   * @param whose keeps emitters and sessions apart
   * @returns what is to be observed; undefined for the result of a call that was denied, which has been told already
   */
  join(said: Said, whose: string): Said | undefined {
    const { tool, operation } = said;
    if (tool?.callId === undefined) return said;
    const key = JSON.stringify([whose, said.sessionId, tool.callId]);
    if (operation === 'decision') {
      if (tool.decision !== undefined) this.#rulings.set(key, tool.decision);
      return said;
    }
    const ruling = this.#rulings.peek(key);
    if (operation !== 'tool' || tool.decision !== undefined || ruling === undefined) return said;
    if (ruling.decision === 'deny') return undefined;
    // It ran, whatever was meant by a word that is not known.
    const decision: Ruling = ruling.decision === 'ask' ? { ...ruling, decision: 'allow' } : ruling;
    return { ...said, tool: { ...tool, decision } };
  }
}

import type { AgentBaseline } from './agent-baseline.js';
import type { CallFact } from './facts.js';
import { valueNovelty } from './ingredients.js';
import { originClass } from './keys.js';
import type { CallNovelty } from './port.js';
import type { ScoringState } from './scoring-state.js';

/** What a call names that the user did not, before the call is taken into the session. */
export function noveltyOf(call: CallFact, own: AgentBaseline, session: ScoringState): CallNovelty {
  const targets: { index: number; nats: number }[] = [];
  call.targets.forEach((target, index) => {
    if (originClass(target.origin) === 'asked') return;
    const nats = valueNovelty(own, target);
    if (nats > 0) targets.push({ index, nats });
  });
  return { targets, words: [...call.argWords].filter((word) => !session.mentioned.has(word)) };
}

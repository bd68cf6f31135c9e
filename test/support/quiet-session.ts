import type { SessionFacts } from '../../src/detect/port.js';

/** A session in which nothing has happened. */
export const QUIET_SESSION: SessionFacts = {
  calls: 0,
  writes: 0,
  denied: 0,
  errors: 0,
  prompts: 0,
  messages: 0,
  ageMs: 0,
  declared: false,
  reasoned: false,
  exposed: false,
  controlled: false,
  contained: false,
  sameCallRepeats: 0,
  retriesAfterError: 0,
  deniedShare: 0,
  costUsd: 0,
  tokens: 0,
  callsSinceReasoning: 0,
  lastReasoningAgeMs: 0,
  distinctTools: 0,
};

import type { CommandAction, CommandWait, LoweredPosture, TimeoutAnswer } from '../model/command.js';
import type { ResponseCaps, ResponsePolicy } from '../model/response-policy.js';
import { planResponse, tellsPeople, type PolicyCase, type PolicyFacts } from './policy.js';

/** What is done at one rung about an incident, and why, or why not. */
export interface ExplainedRung {
  rung: 'alert' | CommandAction;
  /** `tell`: people are told; `send`: at once; `propose`: a person is asked; `dry-run`: only written down. */
  outcome: 'tell' | 'send' | 'propose' | 'dry-run' | 'none';
  why: string;
  /** Why it is not done at once. */
  held?: string;
  waitsFor?: CommandWait;
  tool?: string;
  posture?: LoweredPosture;
  containMs?: number;
  /** Of a proposal: how long a person has, and what comes then. */
  proposalMs?: number;
  onTimeout?: TimeoutAnswer;
}

/** The whole ladder for an incident, decided by the same function that decides for real. */
export function explainResponse(
  about: PolicyCase,
  settings: { policy: ResponsePolicy; caps: ResponseCaps },
  facts: PolicyFacts,
): ExplainedRung[] {
  const isTold = tellsPeople(about, settings.policy);
  const alert: ExplainedRung = {
    rung: 'alert',
    outcome: isTold ? 'tell' : 'none',
    why: isTold
      ? `severity ${about.severity}`
      : `severity ${about.severity} is below ${settings.policy.alert.severity}`,
  };
  const ladder = planResponse(about, settings, facts).map((decision): ExplainedRung => {
    if (decision.command === undefined) return { rung: decision.rung, outcome: 'none', why: decision.why };
    const { action: _, delivery, proposalMs, onTimeout, ...command } = decision.command;
    const asked = delivery === 'propose' ? { proposalMs, onTimeout } : {};
    return { rung: decision.rung, outcome: delivery, ...command, ...asked };
  });
  return [alert, ...ladder];
}

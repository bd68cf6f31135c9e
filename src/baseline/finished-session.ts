import type { Assessment } from '../detect/port.js';
import type { AgentBaseline } from './agent-baseline.js';
import type { SessionRecord } from './facts.js';
import type { Habits, FinishedSession } from './habits.js';
import { mix } from './keys.js';
import type { SessionFeatures } from './session-features.js';
import type { SessionState } from './session-state.js';

/** Adds to an assessment what is unusual about the session as a whole so far. */
export function withHabits(assessment: Assessment, session: SessionState, habits: Habits): Assessment {
  const { observation, session: facts } = assessment;
  const isCall = observation.kind === 'tool_attempt' || observation.kind === 'tool_call';
  const found = habits.measure(
    observation,
    {
      // What the facts hold includes this observation; the rest is as it was before it.
      tokens: facts.tokens,
      costUsd: facts.costUsd,
      retries: facts.retriesAfterError,
      calls: facts.calls,
      denied: facts.denied,
      seconds: facts.ageMs / 1_000,
      distinctTools: facts.distinctTools,
      quietCalls: session.activity.quietCalls,
    },
    { isUnreasoned: isCall && !facts.reasoned },
  );
  if (found.size > 0) assessment.measures = new Map([...assessment.measures, ...found]);
  return assessment;
}

/** A session that is over, as numbers. @param own what was known of the agent before it */
export function finishedSession(
  session: SessionState,
  { tools, targets }: SessionRecord,
  own: AgentBaseline,
): FinishedSession {
  const { tenant, agentId, activity, scoring } = session;
  let fresh = 0;
  for (const { kind, value } of targets) if (own.values.get(mix(kind, value)) === 0) fresh++;
  const features: SessionFeatures = {
    calls: scoring.callCount,
    tokens: activity.tokens,
    costUsd: activity.costUsd,
    denied: session.denied,
    retries: activity.retries,
    seconds: session.durationMs / 1_000,
    distinctTools: scoring.usedTools.size,
    quietCalls: activity.longestQuiet,
    toolMix: 0,
    newTargets: targets.length === 0 ? 0 : fresh / targets.length,
    risk: activity.peakNats,
  };
  return { tenant, agentId, features, tools: tools.map(({ tool }) => tool), reasoned: session.isReasoned };
}

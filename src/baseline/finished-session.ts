import type { Assessment } from '../detect/port.js';
import type { AgentBaseline } from './agent-baseline.js';
import type { SessionRecord } from './facts.js';
import type { Habits, FinishedSession } from './habits.js';
import { isWrite, mix } from './keys.js';
import type { SessionFeatures } from './session-features.js';
import type { SessionState } from './session-state.js';

const MINUTE_MS = 60_000;
/** Kind of a target that names a dependency. */
export const PACKAGE_KIND = 'package';

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

/**
 * A session that is over, as numbers.
 *
 * @param own what was known of the agent before it
 * @param packageKind hash of the kind of target that names a dependency
 */
export function finishedSession(
  session: SessionState,
  { tools, targets, transitions }: SessionRecord,
  { own, packageKind }: { own: AgentBaseline; packageKind: number },
): FinishedSession {
  const { tenant, agentId, activity, scoring } = session;
  let fresh = 0;
  let dependencies = 0;
  for (const { kind, value, effect } of targets) {
    if (own.values.get(mix(kind, value)) === 0) fresh++;
    if (kind === packageKind && isWrite(effect)) dependencies++;
  }
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
    pace: (scoring.callCount * MINUTE_MS) / Math.max(MINUTE_MS, session.durationMs),
    deniedShare: session.denied / Math.max(1, scoring.callCount),
    toolShares: 0,
    tokensPerRequest: activity.tokens / Math.max(1, session.prompts),
    dependencies,
    approvals: session.approvals,
  };
  return {
    tenant,
    agentId,
    endedAt: session.latest,
    features,
    tools: tools.map(({ tool }) => tool),
    toolCalls: transitions.map(([, tool]) => tool),
    reasoned: session.isReasoned,
  };
}

import type { Incident } from '../model/incident.js';
import type { Effect } from '../model/observation.js';
import type { CheckAnswer } from '../model/wire.js';
import type { Obstacle } from './restrictions.js';

/** What is known when a gateway asks about a call. */
export interface CheckFacts {
  mode: 'observe' | 'act';
  effect: Effect;
  /** Risk of the call and its session now, nats. */
  riskNats: number;
  thresholdNats: number;
  /** The session's incident, if one is not closed. */
  incident: Pick<Incident, 'id' | 'title' | 'status'> | undefined;
  /** What many agents of the class do alike, where that is all there is against the session. */
  shared?: Pick<Incident, 'id' | 'title'> | undefined;
  /** The command in force that stands in the way of the call. */
  restriction: Obstacle | undefined;
}

/** Largest finite number that JSON shows for a threshold that cannot be crossed yet. */
const NO_THRESHOLD_NATS = 1e6;

/**
 * The answer to a gateway. A restriction denies or holds, as its command says; an open incident holds what changes the
 * world or touches identity and lets reading pass; everything else is allowed. In observe-only what an incident alone
 * would cause is allowed, and `wouldBe` says what it would have been; a restriction counts, for only a person can have
 * ordered it.
 */
export function decide(facts: CheckFacts): CheckAnswer {
  const { incident, restriction } = facts;
  const changes = facts.effect !== 'read';
  const wouldBe =
    restriction !== undefined ? restriction.strength : incident !== undefined && changes ? 'hold' : 'allow';
  const answer: CheckAnswer = {
    decision: facts.mode === 'act' || restriction !== undefined ? wouldBe : 'allow',
    wouldBe,
    reason: reasonOf(facts, wouldBe),
    riskNats: Number.isFinite(facts.riskNats) ? facts.riskNats : 0,
    thresholdNats: Math.min(facts.thresholdNats, NO_THRESHOLD_NATS),
    timedOut: false,
  };
  const about = incident ?? facts.shared;
  if (about !== undefined) answer.incidentId = about.id;
  if (restriction !== undefined) answer.commandId = restriction.commandId;
  return answer;
}

/** The answer when scoring was not heard in time. */
export function decideLate(onTimeout: CheckAnswer['decision'], mode: 'observe' | 'act'): CheckAnswer {
  return {
    decision: mode === 'act' ? onTimeout : 'allow',
    wouldBe: onTimeout,
    reason: 'the observer did not score the call in time',
    riskNats: 0,
    thresholdNats: 0,
    timedOut: true,
  };
}

function reasonOf(facts: CheckFacts, wouldBe: CheckAnswer['decision']): string {
  if (facts.restriction !== undefined) return facts.restriction.reason;
  if (facts.incident === undefined && facts.shared !== undefined) return `its peers do the same: ${facts.shared.title}`;
  if (facts.incident === undefined) {
    return Number.isFinite(facts.thresholdNats) ? 'nothing unusual' : 'still learning what is normal for this agent';
  }
  return wouldBe === 'hold' ? facts.incident.title : `reading is allowed during the incident: ${facts.incident.title}`;
}

import type { Effect, Tier } from '../model/observation.js';
import type { GatewayDecision, Posture } from './port.js';

const POSTURE: Record<Effect, Posture> = { read: 'open', write: 'closed', auth: 'closed', unknown: 'closed' };

/** A call, as far as the posture depends on it. */
export interface PostureSubject {
  effect?: Effect | undefined;
  tier?: Tier | undefined;
}

/** What the gateway does with a call when the observer does not say. Counts what it lets through and what not. */
export class Postures {
  readonly #byEffect: Record<Effect, Posture>;
  readonly #byTier: Partial<Record<Tier, Posture>>;
  readonly counts = { postureOpen: 0, postureClosed: 0 };

  /** @param byTier counts for calls whose tier the gateway knows, before what is set for their effect */
  constructor(byEffect: Partial<Record<Effect, Posture>> = {}, byTier: Partial<Record<Tier, Posture>> = {}) {
    this.#byEffect = { ...POSTURE, ...byEffect };
    this.#byTier = byTier;
  }

  /** @param cause why the posture decides, as the start of a sentence */
  decide({ effect = 'unknown', tier }: PostureSubject, cause: string): GatewayDecision & { posture: Posture } {
    const ofTier = tier === undefined ? undefined : this.#byTier[tier];
    const posture = ofTier ?? this.#byEffect[effect];
    this.counts[posture === 'open' ? 'postureOpen' : 'postureClosed']++;
    const calls = ofTier === undefined ? `${effect} calls` : `calls of tier ${tier ?? ''}`;
    return {
      decision: posture === 'open' ? 'allow' : 'deny',
      source: 'posture',
      reason: `${cause}; this gateway's posture for ${calls} is ${posture}`,
      timedOut: false,
      posture,
    };
  }
}

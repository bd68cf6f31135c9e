import type { CappedEntry } from '../lib/capped-state-table.js';
import type { PolicyFacts } from './port.js';

const MAX_EMITTERS = 64;
const MAX_LEFT = 16;

/** Which policy version each gateway of a tenant decides by. Plain data; bounded. */
export interface TenantPolicies extends CappedEntry {
  /** Announced for all agents; empty when never. */
  announced: { version: string; since: number };
  emitters: { id: string; version: string; mixed: boolean }[];
  /** Versions that a gateway moved away from. */
  left: { version: string; by: string; to: string; time: number }[];
}

export const IN_STEP: PolicyFacts = { differs: false, behindMs: 0, expected: '' };

export function newPolicies(key: string): TenantPolicies {
  return { key, changed: 0, announced: { version: '', since: -1 }, emitters: [], left: [] };
}

/**
 * A gateway says which version it decided by. A gateway that returns to a version it had left decides by several at
 * once (one for each kind of agent, say): what it leaves says nothing about others.
 *
 * @returns whether anything changed
 */
export function noteVersion(
  policies: TenantPolicies,
  { emitter, version, time }: { emitter: string; version: string; time: number },
): boolean {
  const known = policies.emitters.find(({ id }) => id === emitter);
  if (known === undefined) {
    policies.emitters.push({ id: emitter, version, mixed: false });
    if (policies.emitters.length > MAX_EMITTERS) policies.emitters.shift();
    return true;
  }
  if (known.version === version || known.mixed) return false;
  if (policies.left.some((left) => left.by === emitter && left.version === version)) {
    known.mixed = true;
    policies.left = policies.left.filter((left) => left.by !== emitter);
    return true;
  }
  policies.left.push({ version: known.version, by: emitter, to: version, time });
  if (policies.left.length > MAX_LEFT) policies.left.shift();
  known.version = version;
  return true;
}

/** What a call's version is worth: against what was announced, and where nothing was, against what others moved to. */
export function policyFacts(
  call: { version: string; emitter: string; time: number },
  announced: { version: string; since: number },
  policies: TenantPolicies | undefined,
): PolicyFacts {
  const tenant = policies?.announced;
  const { version, since } = tenant !== undefined && tenant.since > announced.since ? tenant : announced;
  if (version !== '') {
    if (call.version === version || call.time < since) return IN_STEP;
    return { differs: true, behindMs: call.time - since, expected: version };
  }
  const left = policies?.left.find(
    (one) => one.version === call.version && one.by !== call.emitter && one.time <= call.time,
  );
  return left === undefined ? IN_STEP : { differs: true, behindMs: call.time - left.time, expected: left.to };
}

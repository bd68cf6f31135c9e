import type { Profile } from '../model/profile.js';
import { overlayResponse, type ResponsePolicy } from '../model/response-policy.js';

/**
 * The response policy of an agent: the install's, with what the profile of its class says differently on top.
 *
 * @param profileOf gives the same object for all agents of a class
 */
export function classPolicies(
  install: ResponsePolicy,
  profileOf: (agentId: string) => Profile,
): (agentId: string) => ResponsePolicy {
  const policies = new WeakMap<Profile, ResponsePolicy>();
  return (agentId) => {
    const profile = profileOf(agentId);
    let policy = policies.get(profile);
    if (policy === undefined) {
      policy = overlayResponse(install, profile.response);
      policies.set(profile, policy);
    }
    return policy;
  };
}

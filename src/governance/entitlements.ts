import { CappedStateTable } from '../lib/capped-state-table.js';
import type { GovernanceObservation, Observation, ToolCallObservation } from '../model/observation.js';
import {
  addAct,
  addApproval,
  addGrant,
  endOf,
  grantAt,
  keyOf,
  newRecord,
  revoke,
  toolOf,
  type AgentRecord,
  type Grant,
} from './agent-record.js';
import { approvalGiven, approvalOf, NO_APPROVAL, type About } from './approval-facts.js';
import { mayApprove } from './approver.js';
import { ApproverPace } from './approver-pace.js';
import { approvalFrom, approverOf, isCall, isExecuted, toolsOf } from './governance-event.js';
import { isOpen, learningWindow, openedBy } from './learning-window.js';
import { IN_STEP, newPolicies, noteVersion, policyFacts, type TenantPolicies } from './policy-versions.js';
import type { EntitlementStats, GovernanceFacts, GrantFacts, KeptGrant, LibraryEntry } from './port.js';
import type { ReferenceLibrary } from './reference-library.js';

const MAX_TENANTS = 1_024;
const IN_MEMORY = 4_096;
/** Agent id of an announcement that concerns all agents of a tenant. */
const ALL_AGENTS = '*';

export interface EntitlementsOptions {
  library: ReferenceLibrary;
  maxAgents: number;
  load: (key: string) => Uint8Array | undefined;
  /** Everything the store holds under a prefix. */
  entries: (prefix: string) => Iterable<{ key: string; value: Uint8Array }>;
}

/**
 * What every agent is entitled to, projected from the governance stream and read at the event time of a call.
 *
 * Call `at` before `apply`. Holds no clock; the same observations in the same order give the same facts, and a restart
 * between two of them changes nothing.
 */
export class Entitlements {
  readonly #options: EntitlementsOptions;
  readonly #library: ReferenceLibrary;
  readonly #agents: CappedStateTable<AgentRecord>;
  readonly #pace: ApproverPace;
  readonly #policies: CappedStateTable<TenantPolicies>;
  /** What the library alone presumes, by its entry. */
  readonly #presumptions = new WeakMap<LibraryEntry, GovernanceFacts>();
  /** The record that was read last: `apply` mostly follows `at` of the same observation. */
  #latest: { observation: Observation; record: AgentRecord | undefined } | undefined;
  #entriesEvicted = 0;

  constructor(options: EntitlementsOptions) {
    const { library, maxAgents, load } = options;
    this.#options = options;
    this.#library = library;
    const table = { inMemory: IN_MEMORY, load };
    this.#agents = new CappedStateTable({ ...table, prefix: 'entitled/', cap: maxAgents });
    this.#pace = new ApproverPace(table);
    this.#policies = new CappedStateTable({ ...table, prefix: 'policy/', cap: MAX_TENANTS });
  }

  /** After a restart, before anything else: finds out what the store holds. */
  restore(): void {
    const { entries } = this.#options;
    this.#agents.restore(entries('entitled/'));
    this.#pace.table.restore(entries('approver/'));
    this.#policies.restore(entries('policy/'));
  }

  /**
   * What holds for this observation, before it is applied. Shared where nothing particular is known of the agent: do
   * not change it.
   */
  at(observation: Observation): GovernanceFacts {
    const { kind, agentId } = observation;
    if (!isCall(observation) && observation.stream !== 'governance') return this.#presumed(agentId, '');
    const { tool = '' } = observation;
    const record = this.#recordFor(observation);
    const facts = this.#presumed(agentId, tool);
    if (kind === 'grant' || kind === 'scope_change' || kind === 'approval') {
      return {
        ...facts,
        posture: record?.posture ?? '',
        approval: approvalGiven(observation, this.#about(agentId, record)),
      };
    }
    const named = kind === 'tool_call' && (observation.approvalId ?? observation.policyVersion) !== undefined;
    if (record === undefined && !named) return facts;
    const own: GovernanceFacts = { ...facts, posture: record?.posture ?? '' };
    if (!isCall(observation)) return own;
    if (record !== undefined) this.#readGrant(own, record, observation);
    if (kind === 'tool_call' && observation.approvalId !== undefined) {
      own.approval = approvalOf(observation, this.#about(agentId, record));
    }
    if (kind === 'tool_call' && observation.policyVersion !== undefined)
      own.policy = this.#policyOf(observation, record);
    return own;
  }

  /** Takes the observation into the state. */
  apply(observation: Observation): void {
    if (observation.kind === 'tool_call') this.#applyCall(observation);
    else if (observation.stream === 'governance') this.#applyGovernance(observation);
    this.#latest = undefined;
  }

  /** Agents of a tenant that governance said something about. */
  *agents(tenant: string): Iterable<string> {
    const start = keyOf(tenant, '');
    for (const key of this.#agents.keys()) if (key.startsWith(start)) yield key.slice(start.length);
  }

  /** Grants that are kept of an agent, in force or not. */
  grantsOf(tenant: string, agentId: string): KeptGrant[] {
    const tools = this.#agents.get(keyOf(tenant, agentId))?.tools ?? [];
    return tools.flatMap(({ tool, grants, revokedAt }) =>
      grants.map((grant) => {
        const { from, approverId, authorised, expiresAt } = grant;
        const endsAt = endOf(grant, revokedAt);
        return {
          tool,
          from,
          endsAt,
          revoked: endsAt < expiresAt,
          approverId,
          authorised,
          used: grant.usedAt !== undefined,
        };
      }),
    );
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#agents.drain(puts, deletes);
    this.#pace.table.drain(puts, deletes);
    this.#policies.drain(puts, deletes);
  }

  stats(): EntitlementStats {
    return {
      agents: this.#agents.size,
      agentsEvicted: this.#agents.evicted,
      approversEvicted: this.#pace.table.evicted,
      entriesEvicted: this.#entriesEvicted,
    };
  }

  #recordFor(observation: Observation): AgentRecord | undefined {
    if (this.#latest?.observation === observation) return this.#latest.record;
    const { tenant, agentId } = observation;
    const record = this.#agents.size === 0 ? undefined : this.#agents.get(keyOf(tenant, agentId));
    this.#latest = { observation, record };
    return record;
  }

  #presumed(agentId: string, tool: string): GovernanceFacts {
    const library = this.#library.entryFor(agentId, tool);
    let facts = this.#presumptions.get(library);
    if (facts === undefined) {
      facts = { library, grant: NO_GRANT, approval: NO_APPROVAL, policy: IN_STEP, posture: '', learning: undefined };
      this.#presumptions.set(library, facts);
    }
    return facts;
  }

  #readGrant(facts: GovernanceFacts, record: AgentRecord, { tool, time }: { tool: string; time: number }): void {
    const { grant, endedAt } = grantAt(toolOf(record, tool), time);
    if (grant === undefined) {
      if (endedAt >= 0) facts.grant = { ...NO_GRANT, expired: true, expiredMs: time - endedAt };
      return;
    }
    const { authorised, approverId: by, from } = grant;
    facts.grant = { active: true, authorised, expired: false, expiredMs: 0, ageMs: time - from, by };
    facts.learning = learningWindow(grant, time);
  }

  #about(agentId: string, record: AgentRecord | undefined): About {
    return { record, profile: this.#library.profileOf(agentId), pace: this.#pace };
  }

  #policyOf(call: ToolCallObservation, record: AgentRecord | undefined) {
    const { policyVersion: version = '', principalId: emitter, time, tenant } = call;
    return policyFacts({ version, emitter, time }, record?.policy ?? NEVER, this.#policies.get(tenant));
  }

  #applyCall(call: ToolCallObservation): void {
    const { tenant, policyVersion, principalId, time } = call;
    if (policyVersion !== undefined) {
      const policies = this.#policies.get(tenant) ?? newPolicies(tenant);
      if (noteVersion(policies, { emitter: principalId, version: policyVersion, time })) this.#policies.set(policies);
    }
    let record = this.#recordFor(call);
    if (record === undefined && call.approvalId === undefined) return;
    let changed = false;
    const { grant } = grantAt(record === undefined ? undefined : toolOf(record, call.tool), time);
    if (grant !== undefined && isOpen(grant, time)) {
      grant.learnCalls--;
      changed = true;
    }
    if (grant !== undefined && grant.usedAt === undefined && isExecuted(call)) {
      grant.usedAt = time;
      changed = true;
    }
    if (call.approvalId !== undefined && isExecuted(call)) {
      record ??= newRecord(keyOf(tenant, call.agentId));
      this.#entriesEvicted += addAct(record, { approvalId: call.approvalId, time });
      changed = true;
    }
    if (changed && record !== undefined) this.#agents.set(record);
  }

  #applyGovernance(event: GovernanceObservation): void {
    const { tenant, agentId, time, kind } = event;
    if (kind === 'policy_version' && agentId === ALL_AGENTS) return this.#announce(event);
    if (!PROJECTED.has(kind)) return;
    const key = keyOf(tenant, agentId);
    const record = this.#agents.get(key) ?? newRecord(key);
    switch (kind) {
      case 'grant':
      case 'scope_change':
        this.#grant(record, event);
        this.#pace.add(tenant, approverOf(event, record), time);
        break;
      case 'grant_revoked': {
        const named = toolsOf(event);
        const tools = named.length > 0 ? named : record.tools.map(({ tool }) => tool);
        for (const tool of tools) this.#entriesEvicted += revoke(record, tool, time);
        break;
      }
      case 'approval':
        if (event.approvalId !== undefined) this.#entriesEvicted += addApproval(record, approvalFrom(event));
        this.#pace.add(tenant, event.approverId ?? '', time);
        break;
      case 'posture_change':
        if (time >= record.postureTime) {
          record.posture = event.posture ?? '';
          record.postureTime = time;
        }
        break;
      case 'policy_version':
        if (time >= record.policy.since) record.policy = { version: event.policyVersion ?? '', since: time };
        break;
      default:
        return;
    }
    this.#agents.set(record);
  }

  #grant(record: AgentRecord, event: GovernanceObservation): void {
    const profile = this.#library.profileOf(event.agentId);
    const { by: approverId, self, afterAct } = approvalGiven(event, this.#about(event.agentId, record));
    for (const tool of toolsOf(event)) {
      const given = {
        from: event.time,
        expiresAt: event.expiresAt ?? Number.POSITIVE_INFINITY,
        approverId,
        approvalId: event.approvalId ?? '',
        principalId: event.principalId,
        authorised: !self && !afterAct && mayApprove(profile, approverId, tool),
      };
      const grant: Grant = { ...given, ...openedBy(given, profile) };
      this.#entriesEvicted += addGrant(record, tool, grant);
    }
  }

  #announce({ tenant, time, policyVersion = '' }: GovernanceObservation): void {
    const policies = this.#policies.get(tenant) ?? newPolicies(tenant);
    if (time < policies.announced.since) return;
    policies.announced = { version: policyVersion, since: time };
    this.#policies.set(policies);
  }
}

const NEVER = { version: '', since: -1 };
const NO_GRANT: GrantFacts = { active: false, authorised: false, expired: false, expiredMs: 0, ageMs: 0, by: '' };
/** Kinds that change what an agent is entitled to. */
const PROJECTED: ReadonlySet<string> = new Set([
  'grant',
  'scope_change',
  'grant_revoked',
  'approval',
  'posture_change',
  'policy_version',
]);

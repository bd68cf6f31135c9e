import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentUsage } from '../baseline/port.js';
import type { Clock } from '../lib/clock.js';
import { matchesAny, matchesName } from '../lib/name-pattern.js';
import { topOf, type Top } from '../lib/top-of.js';
import type { Incident } from '../model/incident.js';
import type {
  AgentClass,
  DiscoveryQuery,
  DiscoveryReport,
  KeptGrant,
  ProhibitedTool,
  UndeclaredTool,
  UnknownAgent,
  UnusedGrant,
  UnusedTool,
} from './port.js';
import { DEFAULT_CLASS } from './port.js';
import type { ReferenceLibrary } from './reference-library.js';

/** Others get their turn after so much time or so many agents, whichever comes first. */
const TURN_MS = 5;
const TURN_AGENTS = 64;
/** A grant that ends within it is said to be ending, ms. */
const ENDING_MS = 24 * 60 * 60_000;
/** Entries gathered before they are compared with the first ones. */
const GATHERED = 256;

/** What was observed, as far as discovery asks. */
export interface ObservedSources {
  library: ReferenceLibrary;
  grants: {
    agents: (tenant: string) => Iterable<string>;
    grantsOf: (tenant: string, agentId: string) => KeptGrant[];
  };
  baselines: {
    agents: (tenant: string) => Iterable<string>;
    usage: (tenant: string, agentId: string) => AgentUsage | undefined;
  };
  /** Agents heard of since the start, with the processing time of the last record, epoch ms. */
  heard: {
    all: (tenant: string) => Iterable<{ agentId: string }>;
    get: (tenant: string, agentId: string) => { heardAt: number } | undefined;
  };
  incidents: (tenant: string) => readonly Incident[];
  clock: Clock;
}

/**
 * Compares what is declared with what was observed. Reads one agent after the other and lets others have their turn in
 * between, so that what arrives meanwhile may be in it or not.
 */
export async function discover(sources: ObservedSources, query: DiscoveryQuery): Promise<DiscoveryReport> {
  const { baselines, grants, clock } = sources;
  const { tenant } = query;
  const flagged = prohibitedUses(sources, tenant);
  await nextTurn();
  const known = new Set(baselines.agents(tenant));
  await nextTurn();
  for (const { agentId } of sources.heard.all(tenant)) known.add(agentId);
  for (const agentId of grants.agents(tenant)) known.add(agentId);
  for (const agentId of flagged.keys()) known.add(agentId);

  const comparison = new Comparison(sources.library, query.limit, clock.now());
  let turnBegan = clock.now();
  let inTurn = 0;
  for (const agentId of known) {
    if ((query.agent !== undefined && !matchesName(query.agent, agentId)) || !query.maySee(agentId)) continue;
    comparison.add({
      agentId,
      usage: baselines.usage(tenant, agentId),
      lastSeenAt: sources.heard.get(tenant, agentId)?.heardAt,
      grants: grants.grantsOf(tenant, agentId),
      flagged: flagged.get(agentId) ?? NONE,
    });
    if (++inTurn < TURN_AGENTS && clock.now() - turnBegan < TURN_MS) continue;
    await nextTurn();
    turnBegan = clock.now();
    inTurn = 0;
  }
  return comparison.report();
}

/** Incidents by agent and prohibited tool: what is flagged is not learned, so the baselines do not show it. */
function prohibitedUses({ incidents, library }: ObservedSources, tenant: string): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>();
  for (const { signals } of incidents(tenant)) {
    const counted = new Set<string>();
    for (const { violation, tool, agentId } of signals) {
      if (!violation || tool === undefined || library.inventoryLine(tool)?.tier !== 'prohibited') continue;
      const key = `${agentId.length}:${agentId}/${tool}`;
      if (counted.has(key)) continue;
      counted.add(key);
      const own = found.get(agentId) ?? new Map<string, number>();
      own.set(tool, (own.get(tool) ?? 0) + 1);
      found.set(agentId, own);
    }
  }
  return found;
}

const NONE: ReadonlyMap<string, number> = new Map();

interface ObservedAgent {
  agentId: string;
  usage: AgentUsage | undefined;
  lastSeenAt: number | undefined;
  grants: readonly KeptGrant[];
  /** Incidents by prohibited tool. */
  flagged: ReadonlyMap<string, number>;
}

/** What the agents of one class have used of what its profile has. */
interface ClassUse {
  agents: number;
  unused: Set<string>;
}

/** The comparison, agent by agent. Holds no more than the first entries of each list. */
class Comparison {
  readonly #library: ReferenceLibrary;
  readonly #nowMs: number;
  readonly #unknown: First<UnknownAgent>;
  readonly #undeclared: First<UndeclaredTool>;
  readonly #grants: First<UnusedGrant>;
  readonly #prohibited: First<ProhibitedTool>;
  readonly #limit: number;
  readonly #classes = new Map<string, ClassUse>();
  #agents = 0;
  #unnamedTools = 0;

  constructor(library: ReferenceLibrary, limit: number, nowMs: number) {
    this.#library = library;
    this.#nowMs = nowMs;
    this.#limit = limit;
    this.#unknown = new First(limit, (a, b) => b.sessions - a.sessions || byText(a.agentId, b.agentId));
    this.#undeclared = new First(limit, (a, b) => b.sessions - a.sessions || byAgentAndTool(a, b));
    this.#grants = new First(limit, (a, b) => a.grantedAt - b.grantedAt || byAgentAndTool(a, b));
    this.#prohibited = new First(
      limit,
      (a, b) => b.incidents - a.incidents || b.sessions - a.sessions || byAgentAndTool(a, b),
    );
  }

  add(agent: ObservedAgent): void {
    const { agentId, usage, lastSeenAt } = agent;
    const agentClass = this.#library.find(agentId);
    this.#agents++;
    this.#unnamedTools += usage?.unnamedTools ?? 0;
    if (agentClass.name === DEFAULT_CLASS) {
      const sessions = usage?.sessions ?? 0;
      this.#unknown.add({ agentId, sessions, ...(lastSeenAt === undefined ? {} : { lastSeenAt }) });
    }
    this.#addTools(agent, agentClass);
    this.#addProhibited(agent, agentClass);
    this.#addGrants(agent);
  }

  report(): DiscoveryReport {
    const unusedTools: UnusedTool[] = [...this.#classes].flatMap(([agentClass, { agents, unused }]) =>
      [...unused].map((tool) => ({ agentClass, tool, agents })),
    );
    return {
      agents: this.#agents,
      unnamedTools: this.#unnamedTools,
      unknownAgents: this.#unknown.top(),
      undeclaredTools: this.#undeclared.top(),
      unusedTools: topOf(
        unusedTools,
        this.#limit,
        (a, b) => byText(a.agentClass, b.agentClass) || byText(a.tool, b.tool),
      ),
      unusedGrants: this.#grants.top(),
      prohibitedTools: this.#prohibited.top(),
      emptyClasses: this.#library.classes.filter((name) => name !== DEFAULT_CLASS && !this.#classes.has(name)),
    };
  }

  #addTools({ agentId, usage, grants }: ObservedAgent, { name: agentClass, profile }: AgentClass): void {
    const use = this.#classes.get(agentClass) ?? { agents: 0, unused: new Set(profile.tools) };
    this.#classes.set(agentClass, use);
    use.agents++;
    for (const [tool, sessions] of usage?.tools ?? []) {
      for (const pattern of use.unused) if (matchesName(pattern, tool)) use.unused.delete(pattern);
      if (matchesAny(profile.tools, tool) || matchesAny(profile.needsGrant, tool)) continue;
      if (this.#library.inventoryLine(tool) !== undefined) continue;
      this.#undeclared.add({ agentId, agentClass, tool, sessions, granted: this.#standingOf(tool, grants) });
    }
  }

  #standingOf(tool: string, grants: readonly KeptGrant[]): UndeclaredTool['granted'] {
    const own = grants.filter((grant) => grant.tool === tool && grant.authorised && grant.from <= this.#nowMs);
    if (own.length === 0) return 'never';
    return own.some(({ endsAt }) => endsAt > this.#nowMs) ? 'in-force' : 'ended';
  }

  #addProhibited({ agentId, usage, flagged }: ObservedAgent, { name: agentClass, profile }: AgentClass): void {
    const used = usage?.tools ?? NONE;
    for (const tool of new Set([...flagged.keys(), ...used.keys()])) {
      if (this.#library.inventoryLine(tool)?.tier !== 'prohibited') continue;
      const [sessions, incidents] = [used.get(tool) ?? 0, flagged.get(tool) ?? 0];
      this.#prohibited.add({ agentId, agentClass, tool, sessions, incidents, binding: profile.inventory });
    }
  }

  /** Grants that somebody took back or that begin later are settled, or not due yet. */
  #addGrants({ agentId, grants }: ObservedAgent): void {
    for (const { tool, from, endsAt, revoked, approverId, authorised, used } of grants) {
      if (used || revoked || from > this.#nowMs) continue;
      const leftMs = endsAt - this.#nowMs;
      const standing = leftMs <= 0 ? 'expired' : leftMs <= ENDING_MS ? 'ending' : 'in-force';
      const end = Number.isFinite(endsAt) ? { endsAt } : {};
      const ageMs = this.#nowMs - from;
      this.#grants.add({ agentId, tool, approverId, authorised, grantedAt: from, ageMs, ...end, standing });
    }
  }
}

/** The first entries of what is added one by one. */
class First<T> {
  readonly #limit: number;
  readonly #order: (a: T, b: T) => number;
  #items: T[] = [];
  #gathered: T[] = [];
  #total = 0;

  /** @param order negative where the first argument comes first */
  constructor(limit: number, order: (a: T, b: T) => number) {
    this.#limit = limit;
    this.#order = order;
  }

  add(item: T): void {
    this.#total++;
    this.#gathered.push(item);
    if (this.#gathered.length >= GATHERED) this.#settle();
  }

  top(): Top<T> {
    this.#settle();
    return { items: this.#items, total: this.#total };
  }

  #settle(): void {
    this.#items = topOf([...this.#items, ...this.#gathered], this.#limit, this.#order).items;
    this.#gathered = [];
  }
}

function byAgentAndTool(a: { agentId: string; tool: string }, b: { agentId: string; tool: string }): number {
  return byText(a.agentId, b.agentId) || byText(a.tool, b.tool);
}

function byText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

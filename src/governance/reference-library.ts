import { BoundedMap } from '../lib/bounded-map.js';
import { matchesAny, matchesName } from '../lib/name-pattern.js';
import type { InventoryTool, Profile } from '../model/profile.js';
import type { AgentClass, LibraryEntry } from './port.js';
import { DEFAULT_CLASS } from './port.js';

const MAX_CACHED_AGENTS = 16_384;
const MAX_CACHED_TOOLS = 4_096;

/**
 * What agents are expected and allowed to use: the tools inventory and the profiles of the classes. Never changes; names
 * come from agents, so everything remembered about them is bounded.
 */
export class ReferenceLibrary {
  readonly #tools: readonly InventoryTool[];
  readonly #classes: readonly AgentClass[];
  readonly #fallback: AgentClass;
  readonly #classByAgent = new BoundedMap<string, AgentClass>(MAX_CACHED_AGENTS);
  readonly #lines = new BoundedMap<string, { line: InventoryTool | undefined }>(MAX_CACHED_TOOLS);
  readonly #entries = new Map<AgentClass, BoundedMap<string, LibraryEntry>>();

  /** @param profiles by class name; the first by name whose `agents` match is an agent's class, `default` any other's */
  constructor(tools: readonly InventoryTool[], profiles: ReadonlyMap<string, Profile>, fallback: Profile) {
    this.#tools = tools;
    this.#fallback = { name: DEFAULT_CLASS, profile: fallback };
    this.#classes = [...profiles]
      .map(([name, profile]) => ({ name, profile }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Names of all classes, `default` among them. */
  get classes(): string[] {
    return [...this.#classes, this.#fallback].map(({ name }) => name);
  }

  classNamed(name: string): AgentClass | undefined {
    return [...this.#classes, this.#fallback].find((one) => one.name === name);
  }

  /** Budgets that profiles ask for, by class. */
  falseAlarmBudgets(): Map<string, number> {
    return new Map(
      [...this.#classes, this.#fallback].flatMap(({ name, profile: { falseAlarmBudget } }) =>
        falseAlarmBudget === undefined ? [] : [[name, falseAlarmBudget]],
      ),
    );
  }

  /** Classes in the order in which they are asked for an agent, with the share of clean sessions that may alarm. */
  classRows(standardBudget: number): { agentClass: string; patterns: readonly string[]; budget: number }[] {
    return [...this.#classes, this.#fallback].map(({ name, profile: { agents, falseAlarmBudget } }) => ({
      agentClass: name,
      patterns: agents,
      budget: falseAlarmBudget ?? standardBudget,
    }));
  }

  get toolCount(): number {
    return this.#tools.length;
  }

  /** Name of the agent's class. */
  classOf(agentId: string): string {
    return this.find(agentId).name;
  }

  profileOf(agentId: string): Profile {
    return this.find(agentId).profile;
  }

  /** The agent's class with its profile; the same object for all agents of a class. */
  find(agentId: string): AgentClass {
    const held = this.#classByAgent.peek(agentId);
    if (held !== undefined) return held;
    const found = this.#classes.find(({ profile }) => matchesAny(profile.agents, agentId)) ?? this.#fallback;
    this.#classByAgent.set(agentId, found);
    return found;
  }

  /** What the library says about a tool in the hands of this agent's class. */
  entryFor(agentId: string, tool: string): LibraryEntry {
    const agentClass = this.find(agentId);
    let entries = this.#entries.get(agentClass);
    if (entries === undefined) {
      entries = new BoundedMap(MAX_CACHED_TOOLS);
      this.#entries.set(agentClass, entries);
    }
    let entry = entries.peek(tool);
    if (entry === undefined) {
      entry = this.#look(agentClass, tool);
      entries.set(tool, entry);
    }
    return entry;
  }

  /**
   * What the inventory says about a tool, whoever uses it. The most particular line wins: an exact name, then the
   * longest beginning.
   */
  inventoryLine(name: string): InventoryTool | undefined {
    const held = this.#lines.peek(name);
    if (held !== undefined) return held.line;
    let found: InventoryTool | undefined;
    for (const line of this.#tools) {
      if (matchesName(line.name, name) && (found === undefined || moreParticular(line.name, found.name))) found = line;
    }
    this.#lines.set(name, { line: found });
    return found;
  }

  #look(agentClass: AgentClass, name: string): LibraryEntry {
    const { profile } = agentClass;
    const tool = profile.inventory ? this.inventoryLine(name) : undefined;
    const isListed = matchesAny(profile.tools, name);
    const needsGrant =
      matchesAny(profile.needsGrant, name) || tool?.tier === 'approval' || (tool?.tier === 'pre-approved' && !isListed);
    return { agentClass, tool, declared: tool !== undefined || isListed, grantRequired: name !== '' && needsGrant };
  }
}

function moreParticular(a: string, b: string): boolean {
  if (a.endsWith('*') !== b.endsWith('*')) return !a.endsWith('*');
  return a.length > b.length;
}

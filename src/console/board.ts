import type { PageRequest } from '../api/port.js';
import { topOf, type Top } from '../lib/top-of.js';
import type { Command } from '../model/command.js';
import type { Hold } from '../model/hold.js';
import { INCIDENT_STATUSES, SEVERITIES, type Incident } from '../model/incident.js';
import { mayActFor } from '../model/principal.js';
import type { ConsoleHealth, ConsoleSources, StreamsHeard } from './port.js';
import { restrictionWords } from './words.js';

const MAX_INCIDENTS = 50;
const MAX_AGENTS = 40;
const MAX_COMMANDS = 30;
const MAX_HOLDS = 30;
/** As many as any board holds. */
const ALL = 100_000;

export interface AgentRow {
  agentId: string;
  riskNats: number;
  thresholdNats: number;
  agentClass: string | undefined;
  /** Epoch ms; 0 where nothing came from it since the start. */
  heardAt: number;
  openIncidents: number;
  /** What it may not do now, in few words. */
  restricted: string[];
}

/** Everything that is on the page, before it is drawn. */
export interface Board {
  now: number;
  health: ConsoleHealth;
  heard: StreamsHeard;
  incidents: Top<Incident>;
  openIncidents: number;
  agents: Top<AgentRow>;
  commands: Top<Command>;
  /** Calls that wait for a person, oldest first. */
  holds: Top<Hold>;
  opened: Opened | undefined;
}

/** The incident that is open; without one where the id leads nowhere. */
export interface Opened {
  id: string;
  incident: Incident | undefined;
  commands: Command[];
}

/** What a person may see, the most urgent of each kind first. Lists are cut, and say what of. */
export function boardFor(sources: ConsoleSources, request: PageRequest): Board {
  const { principal } = request;
  const { tenant } = principal;
  const wanted = request.agent.toLowerCase();
  const mayAll = principal.agents.includes('*');
  const maySee = (agentId: string) => mayAll || mayActFor(principal, agentId);
  const isShown = (agentId: string) => (wanted === '' || agentId.toLowerCase().includes(wanted)) && maySee(agentId);
  const incidents = sources.incidents.list({ tenant, limit: ALL }).filter((one) => isShown(one.agentId));
  const listed = request.status === undefined ? incidents : incidents.filter((one) => one.status === request.status);
  const commands = sources.commands.list({ tenant, limit: ALL }).filter((one) => maySee(one.agentId));
  return {
    now: sources.clock.now(),
    health: sources.health(),
    heard: sources.agents.heard(tenant),
    incidents: topOf(listed, MAX_INCIDENTS, byUrgency),
    openIncidents: incidents.filter((one) => one.status !== 'closed').length,
    agents: agentRows(sources, { tenant, incidents, commands, isShown }),
    commands: topOf(
      commands.filter((one) => isShown(one.agentId)),
      MAX_COMMANDS,
      (a, b) => commandRank(a) - commandRank(b) || b.issuedAt - a.issuedAt || compare(a.id, b.id),
    ),
    holds: topOf(
      sources.holds.list({ tenant, limit: ALL }).filter((one) => one.state === 'waiting' && isShown(one.agentId)),
      MAX_HOLDS,
      (a, b) => a.heldAt - b.heldAt || compare(a.id, b.id),
    ),
    opened: openedBy(sources, request, commands),
  };
}

function openedBy(sources: ConsoleSources, { principal, open }: PageRequest, all: Command[]): Opened | undefined {
  if (open === undefined) return undefined;
  const incident = sources.incidents.get(principal.tenant, open);
  if (incident === undefined || !mayActFor(principal, incident.agentId)) {
    return { id: open, incident: undefined, commands: [] };
  }
  const caused = new Set(incident.commandIds);
  const commands = all.filter((one) => caused.has(one.id) || one.incidentId === incident.id);
  return { id: open, incident, commands: commands.sort((a, b) => a.issuedAt - b.issuedAt) };
}

interface AgentScope {
  tenant: string;
  /** Those that are shown, of any status. */
  incidents: readonly Incident[];
  commands: readonly Command[];
  isShown: (agentId: string) => boolean;
}

/** Agents with something open or restricted come first, then the rest by their risk of late. */
function agentRows(sources: ConsoleSources, { tenant, incidents, commands, isShown }: AgentScope): Top<AgentRow> {
  const open = new Map<string, number>();
  for (const { status, agentId } of incidents) {
    if (status !== 'closed') open.set(agentId, (open.get(agentId) ?? 0) + 1);
  }
  const restrictions = new Map(sources.commands.restrictions(tenant).map((one) => [one.agentId, one]));
  const known = new Set([...open.keys(), ...restrictions.keys()]);
  const urgent: Candidate[] = [];
  for (const agentId of known) {
    const standing = sources.agents.get(tenant, agentId);
    if (isShown(agentId)) urgent.push({ agentId, riskNats: standing?.riskNats ?? 0, heardAt: standing?.heardAt ?? 0 });
  }
  // Read without making anything: there may be a hundred thousand.
  function* others(): Iterable<Candidate> {
    for (const standing of sources.agents.all(tenant)) {
      if (!known.has(standing.agentId) && isShown(standing.agentId)) yield standing;
    }
  }
  const first = topOf(urgent, MAX_AGENTS, byRisk);
  const rest = topOf(others(), MAX_AGENTS, byRisk);
  const top = [...first.items, ...rest.items].slice(0, MAX_AGENTS);
  const inForce = new Map(commands.filter(isInForce).map((command) => [command.id, command]));
  const restricted = (agentId: string) => {
    const restriction = restrictions.get(agentId);
    return restriction === undefined ? [] : restrictionWords(restriction, (id) => inForce.get(id));
  };
  const items = top.map(({ agentId, riskNats, heardAt }): AgentRow => ({
    agentId,
    riskNats,
    heardAt,
    thresholdNats: sources.thresholdNats(tenant, agentId),
    agentClass: sources.classOf(tenant, agentId),
    openIncidents: open.get(agentId) ?? 0,
    restricted: restricted(agentId),
  }));
  return { items, total: first.total + rest.total };
}

type Candidate = Pick<AgentRow, 'agentId' | 'riskNats' | 'heardAt'>;

function byRisk(a: Candidate, b: Candidate): number {
  return b.riskNats - a.riskNats || compare(a.agentId, b.agentId);
}

function byUrgency(a: Incident, b: Incident): number {
  return (
    INCIDENT_STATUSES.indexOf(a.status) - INCIDENT_STATUSES.indexOf(b.status) ||
    SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
    b.openedAt - a.openedAt ||
    compare(a.id, b.id)
  );
}

/** Whether gateways were told and it is not over. */
export function isInForce({ dryRun, state }: Command): boolean {
  return !dryRun && (state === 'sent' || state === 'acknowledged' || state === 'enforced' || state === 'failed');
}

/** Whether a person has to decide. */
export function isWaiting({ dryRun, state }: Command): boolean {
  return !dryRun && state === 'proposed';
}

/** What waits for a person, what is in force, what was only noted, what is over. */
function commandRank(command: Command): number {
  if (isWaiting(command)) return 0;
  if (isInForce(command)) return 1;
  return command.dryRun && command.state === 'proposed' ? 2 : 3;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

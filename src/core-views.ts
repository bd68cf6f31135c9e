import { AgentView } from './correlate/agent-view.js';
import { IncidentView } from './correlate/incident-view.js';
import type { ScoringStore } from './log/port.js';
import type { Command, Restriction } from './model/command.js';
import type { OutboxEntry } from './model/effect.js';
import type { FleetLift } from './model/fleet-lift.js';
import type { Hold } from './model/hold.js';
import type { Incident } from './model/incident.js';
import { CommandView } from './respond/command-view.js';
import { FleetLiftView } from './respond/fleet-lift-view.js';
import { HoldView } from './respond/hold-view.js';

/** Outbox entries read at the start for subscribers that come back after a restart. */
const RECENT_ENTRIES = 5_000;
export const MAX_INCIDENTS = 10_000;
const MAX_COMMANDS = 20_000;
const MAX_HOLDS = 10_000;

/** What people and gateways are shown: the read side of scoring, fed by its committed effects. */
export interface Views {
  agents: AgentView;
  incidents: IncidentView;
  commands: CommandView;
  holds: HoldView;
  lifts: FleetLiftView;
  apply: (entries: OutboxEntry[]) => void;
}

/** What scoring's checkpoint holds of what people are shown. */
export interface StoredViews {
  incidents: Incident[];
  commands: Command[];
  restrictions: Restriction[];
  lifts: FleetLift[];
  holds: Hold[];
}

/** Makes the views as they were at the end. @param stored what the last checkpoint holds */
export function openViews({
  store,
  maxAgents,
  stored,
}: {
  store: Pick<ScoringStore, 'outbox' | 'outboxHead' | 'checkpointOutboxHead'>;
  maxAgents: number;
  stored: StoredViews;
}): Views {
  const agents = new AgentView(maxAgents);
  const incidents = new IncidentView(MAX_INCIDENTS);
  incidents.restore(stored.incidents.sort((a, b) => a.updatedAt - b.updatedAt));
  const commands = new CommandView(MAX_COMMANDS);
  const head = store.checkpointOutboxHead;
  const recent = store.outbox(Math.max(0, head - RECENT_ENTRIES), RECENT_ENTRIES);
  commands.restore(
    { commands: stored.commands.sort((a, b) => a.issuedAt - b.issuedAt), restrictions: stored.restrictions },
    head,
    recent.filter(({ sequence }) => sequence <= head),
  );
  const lifts = new FleetLiftView();
  lifts.restore(stored.lifts.sort((a, b) => a.proposedAt - b.proposedAt));
  const holds = new HoldView(MAX_HOLDS);
  holds.restore(stored.holds.sort((a, b) => a.changedAt - b.changedAt));
  const apply = (entries: OutboxEntry[]): void => {
    for (const view of [incidents, commands, holds, lifts]) view.apply(entries);
  };
  // What went out after the checkpoint: scoring makes it again, but says it no more.
  for (let entries = store.outbox(head, RECENT_ENTRIES); entries.length > 0;) {
    apply(entries);
    entries = store.outbox(entries.at(-1)?.sequence ?? store.outboxHead, RECENT_ENTRIES);
  }
  return { agents, incidents, commands, holds, lifts, apply };
}

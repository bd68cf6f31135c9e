import type { Clock } from '../lib/clock.js';
import type { Command, Restriction } from '../model/command.js';
import type { Hold } from '../model/hold.js';
import type { Incident } from '../model/incident.js';
import type { Stream } from '../model/observation.js';

/** What people see of one agent. */
export interface AgentStanding {
  agentId: string;
  /** Highest risk of its sessions in the last quarter of an hour of event time, nats. */
  riskNats: number;
  /** Event time of that risk, epoch ms. */
  riskAt: number;
  /** Processing time of the last observation, epoch ms. */
  heardAt: number;
}

/** Processing time of the last observation on each stream, epoch ms; 0 where nothing came since the start. */
export type StreamsHeard = Record<Stream, number>;

/** How the observer itself fares. */
export interface ConsoleHealth {
  mode: 'observe' | 'act';
  /** Records that are in the log and not scored yet. */
  scoringBacklog: number;
  /** Records and effects that are not in ClickHouse yet; undefined while there is no ClickHouse. */
  storeBacklog: number | undefined;
  /** Since when ClickHouse cannot be written, epoch ms. */
  storeFailingSince?: number;
}

/** Everything the page stands on; all of it committed, none of it asked of ClickHouse. */
export interface ConsoleSources {
  incidents: {
    list(filter: { tenant: string; limit: number }): Incident[];
    get(tenant: string, id: string): Incident | undefined;
  };
  commands: {
    list(filter: { tenant: string; limit: number }): Command[];
    restrictions(tenant: string): Restriction[];
  };
  holds: { list(filter: { tenant: string; limit: number }): Hold[] };
  agents: {
    all(tenant: string): Iterable<AgentStanding>;
    get(tenant: string, agentId: string): AgentStanding | undefined;
    heard(tenant: string): StreamsHeard;
  };
  /** Where the agent's incidents begin, nats; Infinity while that is not known yet. */
  thresholdNats(tenant: string, agentId: string): number;
  classOf(tenant: string, agentId: string): string | undefined;
  health(): ConsoleHealth;
  clock: Clock;
  /** Where whoever runs this observer finds a key to sign in with. */
  keyHint: string;
}

import type { Top } from '../lib/top-of.js';
import type { InventoryTool, Profile } from '../model/profile.js';

/** Class of the agents that no profile names. */
export const DEFAULT_CLASS = 'default';

/** One class of agents: the name of its file, and what the file says. */
export interface AgentClass {
  name: string;
  profile: Profile;
}

/** What the reference library says about a tool in the hands of a class. One object per class and tool, never changed. */
export interface LibraryEntry {
  agentClass: AgentClass;
  tool: InventoryTool | undefined;
  /** It is in the inventory, or among the tools that the class is expected to use. */
  declared: boolean;
  /** It may be used under a grant or an approval only. */
  grantRequired: boolean;
}

/** What an agent is entitled to, read at the event time of one observation. */
export interface GovernanceFacts {
  library: LibraryEntry;
  grant: GrantFacts;
  approval: ApprovalFacts;
  policy: PolicyFacts;
  /** Posture that governance last set for the agent; empty when none. */
  posture: string;
  /** The agent was properly granted this tool lately, so that its being new says little. */
  learning: LearningWindow | undefined;
}

/** The grant behind a call of a tool. */
export interface GrantFacts {
  /** One is in force. */
  active: boolean;
  /** It was given by somebody who may, and not by the one who asked. */
  authorised: boolean;
  /** There was one; it ended or was revoked. */
  expired: boolean;
  /** Event time since the end of the last one, ms; 0 where one is in force. */
  expiredMs: number;
  /** Event time since the beginning of the one in force, ms. */
  ageMs: number;
  /** Who gave it. */
  by: string;
}

/** On a call: the approval that the call names. On a grant, scope change or approval: that event itself. */
export interface ApprovalFacts {
  known: boolean;
  /** The approver is the agent itself, the agent that started it, or the one who asked. */
  self: boolean;
  /** The approver may approve this for this class of agents, it is not self-approval, and it came before the act. */
  authorised: boolean;
  /** It was given after the call it is about had been executed. */
  afterAct: boolean;
  /** By how much, ms. */
  lateMs: number;
  /** Approvals by the same person within a minute of event time, this one included. */
  recentByApprover: number;
  by: string;
}

/** The policy version a call was decided under, against the one that should be in force. */
export interface PolicyFacts {
  differs: boolean;
  /** Event time since the expected one came into force, ms. */
  behindMs: number;
  expected: string;
}

export interface LearningWindow {
  /** For people: since when and by whom. */
  note: string;
}

/** Sizes now, and what gave way since the start. */
export interface EntitlementStats {
  agents: number;
  agentsEvicted: number;
  approversEvicted: number;
  /** Grants, approvals and acts that gave way to newer ones of the same agent. */
  entriesEvicted: number;
}

/** A grant of a tool that is kept of an agent. */
export interface KeptGrant {
  tool: string;
  /** Event time, epoch ms. */
  from: number;
  /** Epoch ms of event time; Infinity where it does not end. */
  endsAt: number;
  /** It ended before its time. */
  revoked: boolean;
  approverId: string;
  authorised: boolean;
  /** A call was executed under it. */
  used: boolean;
}

/** What is looked for: the agents of one tenant, or some of them. */
export interface DiscoveryQuery {
  tenant: string;
  /** Id of an agent, or the beginning of some followed by `*`. */
  agent?: string;
  /** Whether the one who asks may see an agent. */
  maySee: (agentId: string) => boolean;
  /** Most entries of each list. */
  limit: number;
}

/** Declared against observed. Every list has its first entries, and how many there are in `total`. */
export interface DiscoveryReport {
  /** Agents that were looked at. */
  agents: number;
  /** Tools of theirs that were used under so many names that not all were kept. */
  unnamedTools: number;
  unknownAgents: Top<UnknownAgent>;
  undeclaredTools: Top<UndeclaredTool>;
  unusedTools: Top<UnusedTool>;
  unusedGrants: Top<UnusedGrant>;
  prohibitedTools: Top<ProhibitedTool>;
  /** Classes that have a profile and none of the agents that were looked at. */
  emptyClasses: string[];
}

/** An agent that no profile names. */
export interface UnknownAgent {
  agentId: string;
  /** Sessions learned. */
  sessions: number;
  /** Epoch ms, processing time; absent where nothing was heard of it since the observer started. */
  lastSeenAt?: number;
}

/** A tool that an agent uses, and neither its profile nor the inventory has. */
export interface UndeclaredTool {
  agentId: string;
  agentClass: string;
  tool: string;
  /** Learned sessions that used it. */
  sessions: number;
  /** Whether somebody who may granted it. */
  granted: 'in-force' | 'ended' | 'never';
}

/** A tool (or the beginning of some) in a profile that none of the agents used. */
export interface UnusedTool {
  agentClass: string;
  tool: string;
  /** Agents of the class that were looked at. */
  agents: number;
}

/** A grant under which nothing was executed. */
export interface UnusedGrant {
  agentId: string;
  tool: string;
  /** Empty where it names nobody. */
  approverId: string;
  authorised: boolean;
  /** Event time, epoch ms. */
  grantedAt: number;
  ageMs: number;
  /** Epoch ms; absent where it does not end. */
  endsAt?: number;
  /** `ending`: within a day. */
  standing: 'in-force' | 'ending' | 'expired';
}

/** A tool of the prohibited tier that was used all the same. */
export interface ProhibitedTool {
  agentId: string;
  agentClass: string;
  tool: string;
  /** Learned sessions that used it. */
  sessions: number;
  /** Incidents that are held and were about its being used. */
  incidents: number;
  /** False where the tiers do not hold for the class. */
  binding: boolean;
}

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

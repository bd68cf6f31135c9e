import type { Effect } from '../model/observation.js';
import type { Names } from './names.js';
import type { Random } from './random.js';
import type { SessionPlan } from './session-plan.js';

export type ClassName = 'support' | 'finops' | 'coder' | 'analyst' | 'infra';

/** What one agent usually deals with: its own part of the world. */
export interface Beat {
  names: Names;
  random: Random;
}

/** One kind of work: what is asked, and how the agent goes about it. */
export interface Work {
  /** How often, against the other kinds. */
  weight: number;
  plan: (beat: Beat) => SessionPlan;
}

/** A class of agents: what they are provisioned with, and what they do all day. */
export interface AgentClass {
  name: ClassName;
  /** Agents of this class in the fleet. */
  size: number;
  /** The tools a session starts with, and what each does to the world. */
  tools: Readonly<Record<string, Effect>>;
  works: readonly Work[];
  /** Centre of the model's thinking time, ms. */
  thinkMs: number;
}

import type { Agent } from './fleet.js';
import type { CaughtMail } from './mail-catcher.js';
import type { PlayedCall } from './player.js';
import type { Random } from './random.js';
import type { Happening } from './rhythm.js';
import type { SeenCommand, SeenIncident } from './seen.js';

/** The world in which a story takes place. */
export interface Stage {
  /** Agents that have no part in another story. */
  fleet: readonly Agent[];
  random: Random;
  /** The same for all stories of a world. */
  shared: () => Random;
  /** Event time at which it begins, epoch ms. */
  startMs: number;
}

/** What is played. */
export interface Scene {
  /** One or two sentences: who does what, and why it matters. */
  plot: string;
  /** Agents that the story is about. */
  stars: readonly string[];
  /** In order of time. */
  happenings: readonly Happening[];
  /** Sessions of an agent that goes on when a call is refused. */
  stubborn: ReadonlySet<string>;
  /** The few happenings that a reader should see. */
  shown: ReadonlySet<Happening>;
}

/** What came of a story, read from outside: the observer's API, the gateway's answers, the mail server. */
export interface Evidence {
  scene: Scene;
  /** Calls of the stars, in order. */
  calls: readonly PlayedCall[];
  /** Incidents of the stars, and of their class, that were opened during the story; oldest first. */
  incidents: readonly SeenIncident[];
  /** Commands that were issued during the story for the stars. */
  commands: readonly SeenCommand[];
  mails: readonly CaughtMail[];
}

/** One thing that must be so. */
export interface Check {
  ok: boolean;
  /** What was observed, in few words: `call held`, `call not held`. */
  says: string;
}

/** One of the seven stories. */
export interface Story {
  title: string;
  /** For the table at the end. */
  expected: string;
  stage: (stage: Stage) => Scene;
  judge: (evidence: Evidence) => Check[];
}

/** How often something was, in words: `no call`, `1 call`, `12 calls`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return number === 0 ? `no ${noun}` : `${number} ${number === 1 ? noun : plural}`;
}

import { makeFleet, type Agent } from './fleet.js';
import { makeHistory, sessionOf } from './history.js';
import { makeNames } from './names.js';
import { seededRandom, type Random } from './random.js';
import { happeningsOf, type Happening } from './rhythm.js';
import type { Scene, Stage, Story } from './story.js';

/** A story with everything that is played for it. */
export interface Act {
  story: Story;
  scene: Scene;
  /** The scene with ordinary work of others around it, in order of time. */
  happenings: readonly Happening[];
  /** Ordinary sessions of others. */
  ordinary: ReadonlySet<string>;
}

/** Everything that will happen: a function of the seed and of the time at which the demo begins. */
export interface World {
  fleet: readonly Agent[];
  history: readonly (readonly Happening[])[];
  acts: readonly Act[];
}

const HISTORY_DAYS = 4;
const SESSIONS_A_SHIFT = 1.6;
/** The stories begin so long before the wall's now: event time may not lie in the future. */
const STORIES_AGO_MS = 12 * 60 * 60_000;
const BETWEEN_STORIES_MS = 10 * 60_000;
/** Ordinary sessions of others during a story, and one after it, which carries the streams' clocks on. */
const OTHERS = 5;
const AFTER_MS = 3 * 60_000;

/** @param nowMs the wall's clock, epoch ms @throws RangeError when the stories would end in the future */
export function makeWorld({ seed, nowMs, stories }: { seed: number; nowMs: number; stories: readonly Story[] }): World {
  const random = seededRandom(seed);
  const names = makeNames(random.fork('names'));
  const fleet = makeFleet(names, random.fork('fleet'));
  const beginMs = nowMs - STORIES_AGO_MS;
  const history = makeHistory({
    fleet,
    days: HISTORY_DAYS,
    sessionsAShift: SESSIONS_A_SHIFT,
    endMs: beginMs,
    random: random.fork('history'),
  });
  const acts: Act[] = [];
  const free = new Set(fleet);
  let startMs = beginMs;
  for (const [i, story] of stories.entries()) {
    const stage: Stage = {
      fleet: [...free],
      random: random.fork(`story ${i}`),
      shared: () => random.fork('shared'),
      startMs,
    };
    const act = makeAct(story, stage, i);
    acts.push(act);
    for (const agent of free) if (act.scene.stars.includes(agent.id)) free.delete(agent);
    startMs = (act.happenings.at(-1)?.timeMs ?? startMs) + BETWEEN_STORIES_MS;
  }
  if (startMs > nowMs) throw new RangeError('the stories take longer than the time they have');
  return { fleet, history, acts };
}

function makeAct(story: Story, stage: Stage, index: number): Act {
  const scene = story.stage(stage);
  const { startMs } = stage;
  const endMs = scene.happenings.at(-1)?.timeMs ?? startMs;
  const random = stage.random.fork('others');
  const others = stage.fleet.filter(({ id }) => !scene.stars.includes(id));
  const around = random.some(others, OTHERS).flatMap((agent, i) =>
    ordinary(agent, {
      random,
      label: `s${index}-${i}`,
      startMs: Math.round(startMs + random.next() * (endMs - startMs)),
    }),
  );
  // Somebody works on after the story; where everybody is in it, one of them.
  const last = random.pick(others.length > 0 ? others : stage.fleet);
  const after = ordinary(last, { random, label: `s${index}-after`, startMs: endMs + AFTER_MS });
  const happenings = [...scene.happenings, ...around, ...after].sort((a, b) => a.timeMs - b.timeMs);
  return { story, scene, happenings, ordinary: new Set([...around, ...after].map(({ sessionId }) => sessionId)) };
}

function ordinary(
  agent: Agent,
  { random, label, startMs }: { random: Random; label: string; startMs: number },
): Happening[] {
  return happeningsOf(sessionOf(agent, { id: `${agent.id}-${label}`, startMs, random }), random);
}

import type { TimelineEntry } from '../model/incident.js';
import type { NewTarget, NovelCall } from './novelty.js';

/** Agents told apart per cause. */
export const MAX_SHOWN_BY = 256;
/** Words of a cause whose spread is counted. */
const MAX_WORDS = 128;
const MAX_INCIDENTS = 256;

/** `release`: many agents changed in the same way and nothing else about them is new. `campaign`: something else is. */
export type ShiftNature = 'release' | 'campaign';

/** A change that enough agents of a class showed to be an incident of its own. */
export interface ShiftState {
  incidentId: string;
  nature: ShiftNature;
  /** `accepted`: a person judged it harmless. `convicted`: a person judged it an attack; it explains nothing. */
  status: 'open' | 'accepted' | 'convicted';
  /** Event time, epoch ms. */
  openedAt: number;
  /** Processing time of the opening, and then of the verdict, epoch ms: how long it counts. */
  since: number;
  /** Incidents of single sessions that it gathers. */
  incidentIds: string[];
}

/** How one agent showed the cause for the first time. */
export interface ShownBy {
  agentId: string;
  /** Event time, epoch ms. */
  time: number;
  /** There was evidence that no peer explains: a new target, an untrusted source. */
  isFirm: boolean;
  target?: NewTarget;
  incidentId?: string;
  line: TimelineEntry;
}

/** What is known of one cause in one class. Plain data: it is stored as it is. */
export interface CauseState {
  tenant: string;
  agentClass: string;
  key: string;
  about: string;
  /** In the order in which they showed it. */
  agents: ShownBy[];
  /** Agents by argument word of the call that the user did not say. */
  words: [hash: number, agents: number][];
  /** Event time of the latest showing, epoch ms. */
  latest: number;
  shift?: ShiftState;
}

/** Forgets who showed it until an event time, unless it is a shift already. @returns whether there was anybody */
export function forgetUntil(cause: CauseState, time: number): boolean {
  if (cause.shift !== undefined) return false;
  const kept = cause.agents.filter((shown) => shown.time > time);
  const isChanged = kept.length < cause.agents.length;
  if (isChanged) cause.agents = kept;
  return isChanged;
}

/**
 * Notes that an agent showed the cause. At most `MAX_SHOWN_BY` agents are told apart.
 *
 * @returns whether that was news: a further agent, or more about a known one
 */
export function noteShown(cause: CauseState, shown: ShownBy, words: readonly number[]): boolean {
  const known = cause.agents.find(({ agentId }) => agentId === shown.agentId);
  if (known === undefined) {
    if (cause.agents.length >= MAX_SHOWN_BY) return false;
    cause.agents.push(shown);
    countWords(cause, words);
  } else {
    const isFirmNow = shown.isFirm && !known.isFirm;
    const isTargetNew = shown.target !== undefined && known.target === undefined;
    if (!isFirmNow && !isTargetNew) return false;
    known.isFirm ||= shown.isFirm;
    if (shown.target !== undefined) known.target ??= shown.target;
  }
  cause.latest = Math.max(cause.latest, shown.time);
  return true;
}

/** @returns whether the incident is gathered now and was not before */
export function gatherIncident(shift: ShiftState, incidentId: string): boolean {
  if (shift.incidentIds.length >= MAX_INCIDENTS || shift.incidentIds.includes(incidentId)) return false;
  shift.incidentIds.push(incidentId);
  return true;
}

/** Agents with evidence that the change of behaviour does not explain. */
export function firmAgents(cause: CauseState): number {
  let count = 0;
  for (const { isFirm } of cause.agents) if (isFirm) count++;
  return count;
}

/** The new target that most agents share, where at least two do. */
export function sharedTarget({ agents }: CauseState): (NewTarget & { agents: number }) | undefined {
  const counts = new Map<number, NewTarget & { agents: number }>();
  let best: (NewTarget & { agents: number }) | undefined;
  for (const { target } of agents) {
    if (target === undefined) continue;
    const held = counts.get(target.hash) ?? { ...target, agents: 0 };
    held.agents++;
    counts.set(target.hash, held);
    if (held.agents >= 2 && (best === undefined || held.agents > best.agents)) best = held;
  }
  return best;
}

/**
 * What of a call's risk the change explains, nats: that the tool is unexpected, and the words that other agents gave it
 * too. Words that differ from agent to agent are where information leaves, and stay as they are.
 *
 * @param minAgents agents that make a word a common one
 */
export function explainedNats(cause: CauseState, call: NovelCall, minAgents: number): number {
  if (call.wordCount === 0) return call.toolNats + call.argumentNats;
  const common = new Set<number>();
  for (const [word, agents] of cause.words) if (agents >= minAgents) common.add(word);
  let shared = 0;
  for (const word of call.words) if (common.has(word)) shared++;
  return call.toolNats + (call.argumentNats * shared) / call.wordCount;
}

function countWords(cause: CauseState, words: readonly number[]): void {
  for (const word of new Set(words)) {
    const held = cause.words.find(([hash]) => hash === word);
    if (held !== undefined) held[1]++;
    else if (cause.words.length < MAX_WORDS) cause.words.push([word, 1]);
  }
}

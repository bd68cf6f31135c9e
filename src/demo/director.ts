import { setTimeout as sleep } from 'node:timers/promises';
import { SEVERITIES } from '../model/incident.js';
import type { ObserverClient } from '../sources/port.js';
import { clean, type Narrator } from './narrator.js';
import type { OutcomeRow } from './outcome-table.js';
import type { DemoParts } from './parts.js';
import type { PlayedCall, Player } from './player.js';
import type { ObserverView, SeenCommand, SeenIncident } from './seen.js';
import type { Services } from './services.js';
import { count, type Check, type Evidence } from './story.js';
import type { Act } from './world.js';

export interface DirectorOptions {
  player: Player;
  view: ObserverView;
  client: ObserverClient;
  services: Services;
  parts: DemoParts;
  narrator: Narrator;
  progress: { show: (stage: string, detail: string) => void; done: () => void };
  /** Share of ordinary sessions that may alarm, as the observer is configured. */
  budget: number;
  /** Progress is drawn in place; elsewhere it would only stand between the lines. */
  isLive: boolean;
}

const SCORED_LIMIT_MS = 60_000;
/** Longest wait for gateways' confirmations, and for the mail about an incident, ms. */
const CONFIRMED_MS = 5_000;
const MAILED_MS = 10_000;
const POLL_MS = 50;
const MAX_PROGRESS_CHARS = 60;
const MAX_TOLD_INCIDENTS = 2;
const MAX_TOLD_COMMANDS = 3;
/** The count of false alarms that is exceeded in so few worlds while the observer keeps its promise. */
const TAIL = 0.01;

/** Has the stories played one after the other, and tells what came of each. */
export class Director {
  readonly rows: OutcomeRow[] = [];
  readonly #options: DirectorOptions;
  readonly #knownIncidents = new Set<string>();
  readonly #knownCommands = new Set<string>();
  /** Ordinary sessions, and those of them with an incident. */
  #ordinary = 0;
  #alarmed = 0;

  constructor(options: DirectorOptions) {
    this.#options = options;
  }

  async perform(act: Act): Promise<void> {
    const { narrator, player, progress, isLive } = this.#options;
    const { story, scene } = act;
    narrator.heading(this.rows.length + 1, story.title, scene.plot);
    const mailsBefore = this.#options.services.catcher.mails.length;
    const played = await player.play(act.happenings, {
      stubborn: scene.stubborn,
      onHappening: (happening) => {
        if (!scene.shown.has(happening)) return;
        progress.done();
        narrator.seen(happening);
      },
      onCall: ({ call }) => {
        if (isLive) progress.show('playing', clean(`${call.agentId} ${call.tool}`, MAX_PROGRESS_CHARS));
      },
    });
    progress.done();
    const evidence = await this.#evidence(act, played, mailsBefore);
    this.#tell(evidence);
    const checks = story.judge(evidence);
    narrator.outcome(story.expected, checks);
    this.rows.push(rowOf(story, checks));
  }

  /** The last row: how those fared who did nothing unusual. */
  everybodyElse(): OutcomeRow {
    const most = binomialQuantile(this.#ordinary, this.#options.budget, 1 - TAIL);
    return {
      title: 'Everybody else does ordinary work',
      expected: `at most ${count(most, 'false alarm')} (budget ${(100 * this.#options.budget).toFixed(0)} %)`,
      observed: `${count(this.#alarmed, 'false alarm')} in ${this.#ordinary} sessions`,
      ok: this.#alarmed <= most,
    };
  }

  async #evidence(act: Act, played: readonly PlayedCall[], mailsBefore: number): Promise<Evidence> {
    const { client, narrator, parts, services, view } = this.#options;
    const { scene, ordinary } = act;
    await parts.waitUntilScored(client, {
      key: services.keys.admin,
      limitMs: SCORED_LIMIT_MS,
      sleep: (ms) => sleep(ms),
      elapsedMs: () => performance.now(),
    });
    const opened = (await view.incidents()).filter(({ id }) => !this.#knownIncidents.has(id)).reverse();
    for (const { id } of opened) this.#knownIncidents.add(id);
    const isOrdinary = ({ sessionId }: SeenIncident) => sessionId !== undefined && ordinary.has(sessionId);
    const incidents = opened.filter((incident) => !isOrdinary(incident));
    this.#ordinary += ordinary.size;
    const falseAlarms = opened.filter(isOrdinary);
    this.#alarmed += falseAlarms.length;
    for (const { agentId, title } of falseAlarms)
      narrator.note('meanwhile', `a false alarm about ${clean(agentId, 60)}: ${clean(title, 200)}`);
    const ids = new Set(incidents.map(({ id }) => id));
    const commands = await this.#confirmed(({ incidentId }) => incidentId !== undefined && ids.has(incidentId));
    await until(MAILED_MS, () => services.catcher.mails.length >= mailsBefore + mailable(opened));
    const calls = played.filter(({ call }) => !ordinary.has(call.sessionId));
    return { scene, calls, incidents, commands, mails: services.catcher.mails.slice(mailsBefore) };
  }

  /** New commands, once the gateway has confirmed those that were sent. */
  async #confirmed(isMine: (command: SeenCommand) => boolean): Promise<SeenCommand[]> {
    let commands: SeenCommand[] = [];
    await until(CONFIRMED_MS, async () => {
      const all = await this.#options.view.commands();
      commands = all.filter((command) => !this.#knownCommands.has(command.id) && isMine(command)).reverse();
      return commands.every(({ state }) => state !== 'sent' && state !== 'acknowledged');
    });
    for (const { id } of commands) this.#knownCommands.add(id);
    return commands;
  }

  #tell(evidence: Evidence): void {
    const { narrator } = this.#options;
    const { incidents, commands, calls } = evidence;
    const told = [...incidents].sort((a, b) => weight(b) - weight(a));
    for (const incident of told.slice(0, MAX_TOLD_INCIDENTS)) narrator.why(incident);
    if (incidents.length > MAX_TOLD_INCIDENTS) narrator.note('', `and ${incidents.length - MAX_TOLD_INCIDENTS} more`);
    for (const command of commands.slice(0, MAX_TOLD_COMMANDS)) narrator.decided(command);
    if (commands.length > MAX_TOLD_COMMANDS) narrator.note('', `and ${commands.length - MAX_TOLD_COMMANDS} more`);
    narrator.blocked(calls);
    narrator.mails(evidence);
  }
}

/** What is told first: one incident for many agents, then the severest. */
function weight({ fleet, severity }: SeenIncident): number {
  return (fleet === undefined ? 0 : 10) + SEVERITIES.indexOf(severity);
}

function rowOf({ title, expected }: Act['story'], checks: readonly Check[]): OutcomeRow {
  return { title, expected, observed: checks.map(({ says }) => says).join(', '), ok: checks.every(({ ok }) => ok) };
}

/** Incidents about which a mail is due: those from the notifier's least severity on. */
function mailable(incidents: readonly SeenIncident[]): number {
  return incidents.filter(({ severity, gatheredBy }) => severity !== 'low' && gatheredBy === undefined).length;
}

/** Smallest k such that at most k of n happen with probability `share`, where each happens with probability p. */
export function binomialQuantile(n: number, p: number, share: number): number {
  let term = (1 - p) ** n;
  let sum = term;
  let k = 0;
  while (sum < share && k < n) {
    term *= ((n - k) / (k + 1)) * (p / (1 - p));
    sum += term;
    k++;
  }
  return k;
}

async function until(limitMs: number, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const startMs = performance.now();
  while (!(await isSo()) && performance.now() - startMs < limitMs) await sleep(POLL_MS);
}

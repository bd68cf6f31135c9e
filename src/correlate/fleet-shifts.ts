import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import type { Incident, TimelineEntry } from '../model/incident.js';
import type { Verdict } from '../model/log-record.js';
import type { Damping } from './damping.js';
import {
  explainedNats,
  firmAgents,
  forgetUntil,
  gatherIncident,
  noteShown,
  type CauseState,
  type ShiftNature,
  type ShiftState,
} from './fleet-cause.js';
import { shiftIncident, type Compared } from './fleet-incident.js';
import type { NewTarget, NoveltyCause } from './novelty.js';

/** Key prefix of the scoring state that belongs to this class. */
export const CAUSE_PREFIX = 'fleet-cause/';
/** Causes watched per class; the one that fewest agents showed gives way. */
const MAX_CAUSES = 64;

export interface FleetShiftOptions {
  /** Agents of a class that must show a change, and their share of the active ones. */
  minAgents: number;
  share: number;
  /** Event time within which they must show it, ms. */
  windowMs: number;
  /** Processing time for which a verdict on a shift holds, ms. */
  verdictMs: number;
  /** Processing time after which a shift that nobody judged explains nothing any more, ms. */
  openMs: number;
  /** Agents of the class active in the window that ends at an event time. */
  active: (tenant: string, agentClass: string, time: number) => number;
}

/** One agent shows one or more causes. */
export interface Showing {
  tenant: string;
  agentClass: string;
  agentId: string;
  /** The more particular first: a shared target before a shared tool. */
  causes: readonly NoveltyCause[];
  /** Event time, epoch ms. */
  time: number;
  /** Processing time, epoch ms. */
  now: number;
  /** There is evidence that no peer explains. */
  isFirm: boolean;
  target: NewTarget | undefined;
  /** Argument words that the user did not say. */
  words: readonly number[];
  line: TimelineEntry;
  threshold: Omit<Compared, 'peers'>;
}

/** A shift that was opened or has grown. */
export interface ShiftChange {
  incident: Incident;
  opened: boolean;
  nature: ShiftNature;
  /** Incidents of single sessions that showed the cause before it was a shift. */
  shownIn: { incidentId: string; isFirm: boolean }[];
}

/** What a verdict on a shift settles. */
export interface SettledShift {
  incidentIds: string[];
  /** Keys under which its sessions wait in quarantine. */
  quarantines: string[];
}

/**
 * Watches for the same change of behaviour in many agents of a class. A shift is one incident for all of them, and what
 * it explains is damped until a person has judged it. Holds no clock; the same showings give the same shifts.
 */
export class FleetShifts {
  readonly #options: FleetShiftOptions;
  readonly #byClass = new Map<string, Map<string, CauseState>>();
  readonly #byIncident = new Map<string, CauseState>();
  /** By class, where there is a shift that explains something. */
  readonly #damping = new Map<string, Damping>();
  /** Only written here: what it holds is read at the start. */
  readonly #stored = new StateTable<CauseState>({
    prefix: CAUSE_PREFIX,
    capacity: 1,
    load: () => undefined,
    isShared: true,
  });
  #evicted = 0;
  #opened = 0;

  constructor(options: FleetShiftOptions) {
    this.#options = options;
  }

  stats(): { causes: number; causesEvicted: number; shiftsOpened: number; shifts: number } {
    let causes = 0;
    for (const own of this.#byClass.values()) causes += own.size;
    return { causes, causesEvicted: this.#evicted, shiftsOpened: this.#opened, shifts: this.#byIncident.size };
  }

  show(showing: Showing): ShiftChange[] {
    const changes: ShiftChange[] = [];
    let isCovered = false;
    for (const wanted of showing.causes) {
      const cause = this.#cause(showing, wanted);
      if (cause === undefined) continue;
      const change = this.#showOne(cause, showing, isCovered);
      if (change !== undefined) changes.push(change);
      isCovered ||= cause.shift?.nature === 'campaign' && cause.shift.status === 'open';
    }
    return changes;
  }

  /** What shifts explain for a class now; undefined where there is none. */
  damping(tenant: string, agentClass: string): Damping | undefined {
    return this.#damping.size === 0 ? undefined : this.#damping.get(classKey(tenant, agentClass));
  }

  /** The open campaign that one of these causes belongs to. */
  campaignOver(tenant: string, agentClass: string, causes: readonly NoveltyCause[]): string | undefined {
    const own = this.#byClass.get(classKey(tenant, agentClass));
    for (const { key } of causes) {
      const shift = own?.get(key)?.shift;
      if (shift?.status === 'open' && shift.nature === 'campaign') return shift.incidentId;
    }
    return undefined;
  }

  /** Notes which incident an agent's showing became, for a shift that comes later. */
  noteIncident({ tenant, agentClass, agentId, causes }: Showing, incidentId: string): void {
    const own = this.#byClass.get(classKey(tenant, agentClass));
    for (const { key } of causes) {
      const cause = own?.get(key);
      const shown = cause?.agents.find((one) => one.agentId === agentId);
      if (cause === undefined || shown === undefined || shown.incidentId === incidentId) continue;
      shown.incidentId = incidentId;
      this.#store(cause);
    }
  }

  /** Lists a session's incident under a shift. */
  gather(tenant: string, shiftId: string, incidentId: string): void {
    const cause = this.#byIncident.get(incidentKey(tenant, shiftId));
    if (cause?.shift !== undefined && gatherIncident(cause.shift, incidentId)) this.#store(cause);
  }

  /** Incidents of single sessions that a shift gathers. */
  gathered(tenant: string, shiftId: string): string[] {
    return [...(this.#byIncident.get(incidentKey(tenant, shiftId))?.shift?.incidentIds ?? [])];
  }

  /** What was made of a shift; undefined where it is not known any more. */
  statusOf(tenant: string, shiftId: string): ShiftState['status'] | undefined {
    return this.#byIncident.get(incidentKey(tenant, shiftId))?.shift?.status;
  }

  natureOf(tenant: string, shiftId: string): ShiftNature | undefined {
    return this.#byIncident.get(incidentKey(tenant, shiftId))?.shift?.nature;
  }

  /** Under which key the sessions of an agent wait that have no incident of their own. */
  quarantineKey(tenant: string, shiftId: string, agentId: string): string {
    const known = this.#byIncident.get(incidentKey(tenant, shiftId))?.agents.some((one) => one.agentId === agentId);
    return quarantineKey(shiftId, known === true ? agentId : '');
  }

  /**
   * One verdict for the whole shift: harmless, and it explains the same change for a while; or an attack, and it
   * explains nothing.
   *
   * @param now processing time, epoch ms
   * @returns undefined where the incident is no shift, or was judged before
   */
  onVerdict({ tenant, incidentId, verdict }: Verdict, now: number): SettledShift | undefined {
    const cause = this.#byIncident.get(incidentKey(tenant, incidentId));
    const shift = cause?.shift;
    if (cause === undefined || shift === undefined || shift.status !== 'open') return undefined;
    shift.status = verdict === 'true-positive' ? 'convicted' : 'accepted';
    shift.since = now;
    this.#store(cause);
    this.#explain(cause);
    const names = new Set(['', ...cause.agents.map(({ agentId }) => agentId)]);
    return {
      incidentIds: [...shift.incidentIds],
      quarantines: [...names].map((agentId) => quarantineKey(incidentId, agentId)),
    };
  }

  /** Forgets shifts whose time is up. Call with every tick. */
  expire(now: number): void {
    const { openMs, verdictMs } = this.#options;
    for (const cause of this.#byIncident.values()) {
      const { shift } = cause;
      if (shift === undefined || now - shift.since <= (shift.status === 'open' ? openMs : verdictMs)) continue;
      this.#forget(cause);
    }
  }

  restore(causes: Iterable<CauseState>): void {
    for (const cause of causes) this.#enter(cause);
    for (const cause of this.#byIncident.values()) this.#explain(cause);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#stored.drain(puts, deletes);
  }

  #showOne(cause: CauseState, showing: Showing, isCovered: boolean): ShiftChange | undefined {
    const { agentId, time, isFirm, target, words, line } = showing;
    if (forgetUntil(cause, time - this.#options.windowMs)) this.#store(cause);
    const isNews = noteShown(
      cause,
      { agentId, time, isFirm, ...(target === undefined ? {} : { target }), line },
      words,
    );
    if (!isNews) return undefined;
    this.#store(cause);
    const peers = this.#options.active(showing.tenant, showing.agentClass, time);
    const opened = cause.shift === undefined;
    if (opened && (isCovered || !this.#isWide(cause, peers))) return undefined;
    const shift = (cause.shift ??= this.#open(cause, showing));
    if (shift.status !== 'open') return undefined;
    const nature = shift.nature === 'campaign' || this.#isCampaign(cause) ? 'campaign' : 'release';
    if (opened || shift.nature !== nature) {
      shift.nature = nature;
      this.#byIncident.set(incidentKey(cause.tenant, shift.incidentId), cause);
      this.#explain(cause);
    }
    const shownIn = cause.agents.flatMap((one) =>
      one.incidentId === undefined ? [] : [{ incidentId: one.incidentId, isFirm: one.isFirm }],
    );
    return { incident: shiftIncident(cause, shift, { peers, ...showing.threshold }), opened, nature, shownIn };
  }

  #isWide({ agents }: CauseState, peers: number): boolean {
    const { minAgents, share } = this.#options;
    return agents.length >= minAgents && agents.length >= share * Math.max(peers, agents.length);
  }

  /** As many agents as make a shift have evidence that no peer explains. */
  #isCampaign(cause: CauseState): boolean {
    return firmAgents(cause) >= this.#options.minAgents;
  }

  #open(cause: CauseState, { time, now }: Showing): ShiftState {
    this.#opened++;
    const incidentId = stableId('inc', cause.tenant, cause.agentClass, cause.key, time);
    return { incidentId, nature: 'release', status: 'open', openedAt: time, since: now, incidentIds: [] };
  }

  #cause({ tenant, agentClass, time }: Showing, { key, about }: NoveltyCause): CauseState | undefined {
    const own = this.#byClass.get(classKey(tenant, agentClass));
    const held = own?.get(key);
    if (held !== undefined) return held;
    if (own !== undefined && own.size >= MAX_CAUSES && !this.#makeRoom(own)) return undefined;
    const cause: CauseState = { tenant, agentClass, key, about, agents: [], words: [], latest: time };
    this.#enter(cause);
    return cause;
  }

  /** Lets the cause go that fewest agents showed, the oldest of them first: one agent's inventions push out no others. */
  #makeRoom(own: Map<string, CauseState>): boolean {
    let least: CauseState | undefined;
    for (const cause of own.values()) {
      if (cause.shift === undefined && (least === undefined || isLess(cause, least))) least = cause;
    }
    this.#evicted++;
    if (least === undefined) return false;
    this.#forget(least);
    return true;
  }

  #enter(cause: CauseState): void {
    const key = classKey(cause.tenant, cause.agentClass);
    const own = this.#byClass.get(key);
    if (own === undefined) this.#byClass.set(key, new Map([[cause.key, cause]]));
    else own.set(cause.key, cause);
    if (cause.shift !== undefined) this.#byIncident.set(incidentKey(cause.tenant, cause.shift.incidentId), cause);
  }

  #forget(cause: CauseState): void {
    const key = classKey(cause.tenant, cause.agentClass);
    const own = this.#byClass.get(key);
    own?.delete(cause.key);
    if (own?.size === 0) this.#byClass.delete(key);
    if (cause.shift !== undefined) this.#byIncident.delete(incidentKey(cause.tenant, cause.shift.incidentId));
    this.#stored.delete(storedKey(cause));
    this.#explain(cause);
  }

  /** Makes anew what the shifts of a class explain, after one of them changed. */
  #explain({ tenant, agentClass }: CauseState): void {
    const key = classKey(tenant, agentClass);
    const explaining = new Map<string, { cause: CauseState; shiftId: string }>();
    for (const cause of this.#byClass.get(key)?.values() ?? []) {
      const { shift } = cause;
      if (shift === undefined || shift.status === 'convicted') continue;
      if (shift.status === 'open' && shift.nature === 'campaign') continue;
      explaining.set(cause.key, { cause, shiftId: shift.incidentId });
    }
    if (explaining.size === 0) {
      this.#damping.delete(key);
      return;
    }
    const { minAgents } = this.#options;
    this.#damping.set(key, {
      call: (call) => {
        const found = explaining.get(call.cause);
        return found && { nats: explainedNats(found.cause, call, minAgents), shiftId: found.shiftId };
      },
      signal: ({ detectorId }) => explaining.get(signalCauseKey(detectorId))?.shiftId,
    });
  }

  #store(cause: CauseState): void {
    this.#stored.set(storedKey(cause), cause);
  }
}

/** Key of the cause that a detector's findings are, where they are compared between peers. */
export function signalCauseKey(detectorId: string): string {
  return `signal:${detectorId}`;
}

function isLess(a: CauseState, b: CauseState): boolean {
  if (a.agents.length !== b.agents.length) return a.agents.length < b.agents.length;
  return a.latest === b.latest ? a.key < b.key : a.latest < b.latest;
}

function quarantineKey(shiftId: string, agentId: string): string {
  return `${shiftId}/${agentId}`;
}

function classKey(tenant: string, agentClass: string): string {
  return JSON.stringify([tenant, agentClass]);
}

function incidentKey(tenant: string, incidentId: string): string {
  return `${tenant}/${incidentId}`;
}

function storedKey({ tenant, agentClass, key }: CauseState): string {
  return JSON.stringify([tenant, agentClass, key]);
}

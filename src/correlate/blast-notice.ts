import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import type { Incident, TimelineEntry } from '../model/incident.js';

const MAX_TIMELINE = 40;
const MAX_INCIDENTS = 256;
/** Agents whose latest hold is remembered. */
const MAX_HELD = 4_096;
/** Processing time within which held agents count together, ms. */
const HOLD_WINDOW_MS = 10 * 60_000;
/** Whose incident it is: it belongs to no single agent. */
const FLEET_SUBJECT = 'fleet';

/** Something that the cap kept from happening by itself, or that happens to more agents than the cap allows. */
export interface Overreach {
  tenant: string;
  /** Event time, epoch ms. */
  time: number;
  kind: 'command' | 'hold';
  /** Agents reached, of so many known. */
  reached: number;
  known: number;
  reason: string;
  incidentId: string;
  line: TimelineEntry;
}

interface NoticeState {
  tenant: string;
  incidentId: string;
  commands: number;
  holds: number;
  /** Processing time of the latest hold by agent, epoch ms. */
  held: [agentId: string, time: number][];
}

/** One incident per tenant tells people that the cap on containment was reached, however often it is. */
export class BlastNotices {
  readonly #states: StateTable<NoticeState>;
  #commands = 0;
  #holds = 0;

  constructor(load: (key: string) => Uint8Array | undefined) {
    this.#states = new StateTable({ prefix: 'blast-notice/', capacity: 1_024, load });
  }

  /** Since the start: commands that the cap made wait, and holds above it. */
  stats(): { commandsCapped: number; holdsAboveCap: number } {
    return { commandsCapped: this.#commands, holdsAboveCap: this.#holds };
  }

  /** The incident that a notice of the tenant is shown in; empty before there was one. */
  incidentId(tenant: string): string {
    return this.#states.get(keyOf(tenant))?.incidentId ?? '';
  }

  /** Notes that an agent's call is held. @returns agents held lately */
  noteHold(tenant: string, agentId: string, now: number): number {
    const state = this.#state(tenant);
    const held = state.held.filter(([one, time]) => one !== agentId && time > now - HOLD_WINDOW_MS);
    held.push([agentId, now]);
    if (held.length > MAX_HELD) held.shift();
    state.held = held;
    this.#states.set(keyOf(tenant), state);
    return held.length;
  }

  /**
   * The incident, made or brought up to date.
   *
   * @param held the incident of `incidentId`, where it is still open
   */
  report(over: Overreach, held: Incident | undefined): Incident {
    const state = this.#state(over.tenant);
    if (held === undefined) {
      state.incidentId = stableId('inc', over.tenant, FLEET_SUBJECT, over.incidentId, over.time);
      state.commands = 0;
      state.holds = 0;
    }
    if (over.kind === 'command') {
      state.commands++;
      this.#commands++;
    } else {
      state.holds++;
      this.#holds++;
    }
    this.#states.set(keyOf(over.tenant), state);
    return noticeOf(over, state, held);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#states.drain(puts, deletes);
  }

  #state(tenant: string): NoticeState {
    return this.#states.get(keyOf(tenant)) ?? { tenant, incidentId: '', commands: 0, holds: 0, held: [] };
  }
}

function noticeOf(over: Overreach, { incidentId, commands, holds }: NoticeState, held: Incident | undefined): Incident {
  const waiting = [
    ...(commands > 0 ? [`${commands} ${commands === 1 ? 'command waits' : 'commands wait'} for a person`] : []),
    ...(holds > 0 ? [`${holds} ${holds === 1 ? 'call is' : 'calls are'} held above it`] : []),
  ];
  const known = held?.fleet?.incidentIds ?? [];
  const isNew = over.incidentId !== '' && !known.includes(over.incidentId) && known.length < MAX_INCIDENTS;
  return {
    id: incidentId,
    tenant: over.tenant,
    agentId: FLEET_SUBJECT,
    openedAt: held?.openedAt ?? over.time,
    updatedAt: Math.max(over.time, held?.updatedAt ?? 0),
    status: 'open',
    severity: 'high',
    title: `${over.reason}; ${waiting.join(', ')}`,
    // Nothing is improbable about it: it is a limit that was reached.
    riskNats: 0,
    thresholdNats: 0,
    budget: held?.budget ?? 0,
    calibrationGroups: 0,
    arithmetic: [],
    signals: [],
    timeline: [...(held?.timeline ?? []), over.line].slice(-MAX_TIMELINE),
    emitters: [],
    violation: false,
    commandIds: [],
    fleet: {
      agentClass: '',
      nature: 'blast-radius',
      agents: over.reached,
      peers: over.known,
      incidentIds: isNew ? [...known, over.incidentId] : known,
    },
  };
}

function keyOf(tenant: string): string {
  return JSON.stringify([tenant]);
}

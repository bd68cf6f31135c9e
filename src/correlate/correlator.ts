import { BoundedMap } from '../lib/bounded-map.js';
import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import type { Incident, RiskTerm, TimelineEntry } from '../model/incident.js';
import type { Verdict } from '../model/log-record.js';
import type { Signal } from '../model/signal.js';
import { addCall, addExplained, dampedRisk, type Damping } from './damping.js';
import { keepForLater, strongest, titleOf } from './incident-signals.js';
import type { NovelCall } from './novelty.js';
import { addEvidence, noRisk, riskTerms, severityOf, sumNats, type SessionRisk } from './risk.js';

/** Latest observations of a session that a timeline may show. */
const MAX_POSITIONS = 24;
const MAX_EMITTERS = 16;
/** Shown where there is no threshold yet (an invariant was broken while warming): JSON has no infinity. */
const NO_THRESHOLD_NATS = 1e6;

export interface CorrelatorOptions {
  /** Sessions whose risk is held in memory; more live in the store. */
  capacity: number;
  /** Incidents that are still known here; older ones are in ClickHouse. */
  maxIncidents: number;
  load: (key: string) => Uint8Array | undefined;
  /** What happened at these positions of the log, as lines for a person. */
  timeline: (positions: readonly number[]) => TimelineEntry[];
}

/** Key prefix of the order in which incidents were changed last. */
export const ORDER_PREFIX = 'incident-order/';

/** Place of an incident among all, as it is stored: event times do not tell which one was changed last. */
export interface IncidentPlace {
  key: string;
  changed: number;
}

/** Where a session's (or, without one, an agent's) evidence is gathered. */
export interface Subject {
  tenant: string;
  agentId: string;
  sessionId?: string;
}

/** One observation or window, with what was made of it. */
export interface Evidence {
  subject: Subject;
  causeId: string;
  time: number;
  seq?: number;
  /** Place in the log, for the timeline; absent for windows. */
  position?: number;
  /** What a call's combined surprise is made of; empty where no call was assessed. Their sum counts, nats. */
  callTerms: readonly RiskTerm[];
  signals: readonly Signal[];
  threshold: { nats: number; budget: number; groups: number };
  /** The call, where peers may explain its risk. */
  novel?: NovelCall;
  /** What the agent's peers explain now; absent where they explain nothing. */
  damping?: Damping;
}

export interface Correlation {
  riskNats: number;
  /** The incident that this evidence opened or changed. */
  incident?: Incident;
  opened: boolean;
  /** The session's open incident, whether this evidence changed it or not. */
  open?: Incident;
  /** The shift of the class that explains why the session lies above its threshold. */
  shiftId?: string;
}

/**
 * Gathers signals into risk and risk into incidents: one open incident per session, with a deterministic id.
 *
 * Holds plain state and no clock; the same evidence in the same order gives the same incidents.
 */
export class Correlator {
  readonly #risks: StateTable<SessionRisk>;
  readonly #incidents: StateTable<Incident>;
  /** Keys of known incidents, least recently changed first. */
  readonly #known: BoundedMap<string, Subject>;
  /** Only written here: what it holds is read at the start. */
  readonly #order = new StateTable<IncidentPlace>({ prefix: ORDER_PREFIX, capacity: 1, load: () => undefined });
  #changes = 0;
  /** The same keys by agent: a flood of incidents must not make every further one a search through all. */
  readonly #byAgent = new Map<string, Set<string>>();
  readonly #timeline: CorrelatorOptions['timeline'];

  constructor(options: CorrelatorOptions) {
    this.#risks = new StateTable({ prefix: 'risk/', capacity: options.capacity, load: options.load });
    this.#incidents = new StateTable({ prefix: 'incident/', capacity: options.maxIncidents, load: options.load });
    this.#known = new BoundedMap(options.maxIncidents, (key, subject) => {
      this.#incidents.delete(key);
      this.#order.delete(key);
      const own = this.#byAgent.get(agentKey(subject));
      own?.delete(key);
      if (own?.size === 0) this.#byAgent.delete(agentKey(subject));
    });
    this.#timeline = options.timeline;
  }

  /** Takes up the incidents that the store holds, after a restart, in their order; without one in that of event time. */
  restore(incidents: Iterable<Incident>, order: Iterable<IncidentPlace> = []): void {
    const places = new Map<string, number>();
    for (const { key, changed } of order) {
      places.set(key, changed);
      this.#changes = Math.max(this.#changes, changed);
    }
    const placed = [...incidents].map((incident) => {
      const key = incidentKey(incident.tenant, incident.id);
      return { key, incident, place: places.get(key) ?? 0 };
    });
    placed.sort((a, b) => a.place - b.place || a.incident.updatedAt - b.incident.updatedAt || (a.key < b.key ? -1 : 1));
    for (const { key, incident } of placed) this.#know(key, subjectOf(incident));
  }

  observe(evidence: Evidence): Correlation {
    const key = subjectKey(evidence.subject);
    const risk = this.#risks.get(key) ?? noRisk();
    if (evidence.position !== undefined) {
      risk.positions.push(evidence.position);
      if (risk.positions.length > MAX_POSITIONS) risk.positions.shift();
    }
    if (evidence.callTerms.length > 0) {
      const callNats = sumNats(evidence.callTerms);
      addCall(risk, callNats, evidence.novel);
      if (callNats > risk.callNats) {
        risk.callNats = callNats;
        risk.callTerms = [...evidence.callTerms];
      }
    }
    addEvidence(risk, evidence.signals);
    const terms = riskTerms(risk, evidence.time);
    const total = sumNats(terms);
    const violation = evidence.signals.some((s) => s.violation && !s.shadow);
    const held = risk.incidentId === '' ? undefined : this.incident(evidence.subject.tenant, risk.incidentId);
    const open = held !== undefined && held.status !== 'closed' ? held : undefined;
    const shiftId = violation || open?.violation === true ? undefined : explanation(risk, total, evidence);
    // Without evidence there is no risk: an empty sum is no 0 nats, which lies above many calm sessions' level.
    const rose = terms.length > 0 && raisePeaks(risk, total, evidence);
    risk.peakStreamNats = Math.max(risk.peakStreamNats, total - sumNats(risk.callTerms));
    this.#risks.set(key, risk);

    const result: Correlation = { riskNats: total, opened: false };
    if (shiftId !== undefined) result.shiftId = shiftId;
    if (open !== undefined) result.open = open;
    else if (shiftId !== undefined) risk.shiftId = shiftId;
    const crossed =
      rose &&
      shiftId === undefined &&
      total > evidence.threshold.nats &&
      (open !== undefined || held === undefined || held.riskNats < total);
    if (open === undefined && !crossed && !violation) {
      if (held === undefined) keepForLater(risk, evidence.signals);
      return result;
    }
    if (open !== undefined && evidence.signals.length === 0 && !rose) return result;

    const incident = this.#write(
      evidence,
      risk,
      { terms, total: Math.max(total, open?.riskNats ?? 0), violation },
      open,
    );
    risk.incidentId = incident.id;
    return { ...result, incident, open: incident, opened: open === undefined };
  }

  /** Whether the session of an incident still runs, and the incident is its latest. */
  isRunning(incident: Incident): boolean {
    return this.#risks.get(subjectKey(subjectOf(incident)))?.incidentId === incident.id;
  }

  /** Whether nothing but what peers explain holds a session's incident up now, at its latest event time. */
  isExplained(incident: Incident, damping: Damping): boolean {
    const risk = this.#risks.get(subjectKey(subjectOf(incident)));
    if (risk === undefined || risk.incidentId !== incident.id || incident.violation) return false;
    const damped = dampedRisk(risk, incident.updatedAt, damping);
    return damped.shiftId !== undefined && damped.nats <= incident.thresholdNats;
  }

  /** Takes in an incident that is about no single session. */
  adopt(incident: Incident): void {
    this.#store(incident);
  }

  /** Marks an incident as part of one about the whole class, or as its own again. @returns undefined where nothing changes */
  gather(incident: Incident, fleetIncidentId: string | undefined): Incident | undefined {
    if (incident.gatheredBy === fleetIncidentId) return undefined;
    const { gatheredBy: _, ...own } = incident;
    const changed = fleetIncidentId === undefined ? own : { ...own, gatheredBy: fleetIncidentId };
    this.#store(changed);
    return changed;
  }

  /** Notes commands that an incident caused. */
  linkCommands(incident: Incident, commandIds: readonly string[]): Incident {
    const fresh = commandIds.filter((id) => !incident.commandIds.includes(id));
    if (fresh.length === 0) return incident;
    const changed = { ...incident, commandIds: [...incident.commandIds, ...fresh] };
    this.#store(changed);
    return changed;
  }

  /** Closes an incident with a person's verdict. Undefined when it is not known or closed already. */
  onVerdict(verdict: Verdict): Incident | undefined {
    const incident = this.incident(verdict.tenant, verdict.incidentId);
    if (incident === undefined || incident.status === 'closed') return undefined;
    const closed: Incident = {
      ...incident,
      status: 'closed',
      verdict: verdict.verdict,
      closedBy: verdict.by,
      updatedAt: verdict.time,
    };
    this.#store(closed);
    return closed;
  }

  incident(tenant: string, id: string): Incident | undefined {
    return this.#incidents.get(incidentKey(tenant, id));
  }

  /** An agent's known incidents, oldest first. */
  incidentsOf(tenant: string, agentId: string): Incident[] {
    return [...(this.#byAgent.get(agentKey({ tenant, agentId })) ?? [])].flatMap(
      (key) => this.#incidents.get(key) ?? [],
    );
  }

  /** Newest first. */
  incidents(): Incident[] {
    const keys = [...this.#known.entries()].map(([key]) => key).reverse();
    return keys.flatMap((key) => this.#incidents.get(key) ?? []);
  }

  riskOf(subject: Subject): SessionRisk | undefined {
    return this.#risks.get(subjectKey(subject));
  }

  /** When open incidents of an agent's sessions with a signal about the tool were opened; event time, epoch ms. */
  openSessionsOver(subject: Subject, tool: string): number[] {
    const openedAt: number[] = [];
    for (const key of this.#byAgent.get(agentKey(subject)) ?? []) {
      const incident = this.#incidents.get(key);
      if (incident?.status !== 'open') continue;
      if (incident.signals.some((s) => s.tool === tool && !s.shadow)) openedAt.push(incident.openedAt);
    }
    return openedAt;
  }

  /** Forgets a session's running risk once it has ended; its incident stays. */
  forget(subject: Subject): void {
    this.#risks.delete(subjectKey(subject));
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#risks.drain(puts, deletes);
    this.#incidents.drain(puts, deletes);
    this.#order.drain(puts, deletes);
  }

  #write(
    evidence: Evidence,
    risk: SessionRisk,
    sum: { terms: Incident['arithmetic']; total: number; violation: boolean },
    open: Incident | undefined,
  ): Incident {
    const { subject, time, threshold } = evidence;
    // What came before the threshold was crossed is as much evidence as what crossed it.
    const earlier = risk.earlier ?? [];
    delete risk.earlier;
    const signals = strongest([...(open?.signals ?? []), ...earlier, ...evidence.signals]);
    // Two emitters justify automatic action, so neither a detector in shadow nor what only explained a call that was not
    // odd enough may bring the second one.
    const counted = [...earlier.filter((s) => !s.ingredient), ...evidence.signals.filter((s) => !s.shadow)];
    const emitters = new Set([...(open?.emitters ?? []), ...counted.flatMap((s) => s.emitters)]);
    const violation = sum.violation || (open?.violation ?? false);
    const incident: Incident = {
      id: open?.id ?? stableId('inc', subject.tenant, subject.agentId, subject.sessionId ?? '', evidence.causeId),
      tenant: subject.tenant,
      agentId: subject.agentId,
      openedAt: open?.openedAt ?? time,
      updatedAt: Math.max(time, open?.updatedAt ?? 0),
      status: open?.status ?? 'open',
      severity: severityOf(sum.total, threshold.nats, violation),
      title: open?.title ?? titleOf(signals, sum),
      riskNats: sum.total,
      thresholdNats: open?.thresholdNats ?? Math.min(threshold.nats, NO_THRESHOLD_NATS),
      budget: open?.budget ?? threshold.budget,
      calibrationGroups: open?.calibrationGroups ?? threshold.groups,
      arithmetic: sum.terms,
      signals,
      timeline: this.#timeline(risk.positions),
      emitters: [...emitters].slice(0, MAX_EMITTERS),
      violation,
      commandIds: open?.commandIds ?? [],
    };
    if (subject.sessionId !== undefined) incident.sessionId = subject.sessionId;
    if (open?.gatheredBy !== undefined) incident.gatheredBy = open.gatheredBy;
    const seq = open === undefined ? evidence.seq : open.openedSeq;
    if (seq !== undefined) incident.openedSeq = seq;
    this.#store(incident);
    return incident;
  }

  #store(incident: Incident): void {
    const key = incidentKey(incident.tenant, incident.id);
    this.#incidents.set(key, incident);
    this.#order.set(key, { key, changed: ++this.#changes });
    this.#know(key, subjectOf(incident));
  }

  #know(key: string, subject: Subject): void {
    const agent = agentKey(subject);
    const own = this.#byAgent.get(agent);
    if (own === undefined) this.#byAgent.set(agent, new Set([key]));
    else own.add(key);
    this.#known.set(key, subject);
  }
}

/** The shift that explains all of a session's excess over its threshold, where one does. */
function explanation(risk: SessionRisk, total: number, { damping, signals, threshold, time }: Evidence) {
  if (damping === undefined) return undefined;
  addExplained(risk, signals, damping);
  if (total <= threshold.nats) return undefined;
  const damped = dampedRisk(risk, time, damping);
  return damped.nats <= threshold.nats ? damped.shiftId : undefined;
}

/** Raises the session's highest risks, with and without what peers explain. @returns whether either rose */
function raisePeaks(risk: SessionRisk, total: number, { damping, time }: Evidence): boolean {
  const firm = damping === undefined ? total : dampedRisk(risk, time, damping).nats;
  const peakFirm = risk.peakFirmNats ?? risk.peakNats;
  const rose = total > risk.peakNats || firm > peakFirm;
  risk.peakNats = Math.max(risk.peakNats, total);
  if (risk.peakFirmNats !== undefined || firm < total) risk.peakFirmNats = Math.max(peakFirm, firm);
  return rose;
}

function subjectOf(incident: Incident): Subject {
  const { tenant, agentId, sessionId } = incident;
  return sessionId === undefined ? { tenant, agentId } : { tenant, agentId, sessionId };
}

function subjectKey(subject: Subject): string {
  return JSON.stringify([subject.tenant, subject.agentId, subject.sessionId ?? '']);
}

function agentKey({ tenant, agentId }: Subject): string {
  return JSON.stringify([tenant, agentId]);
}

function incidentKey(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}

import type { CallNovelty, SessionOutcome } from '../baseline/port.js';
import type { Assessment } from '../detect/port.js';
import type { Incident, TimelineEntry } from '../model/incident.js';
import type { Verdict } from '../model/log-record.js';
import type { CallObservation } from '../model/observation.js';
import type { Signal } from '../model/signal.js';
import { ClassActivity, type ActiveAgent } from './class-activity.js';
import type { Correlation, Correlator, Evidence } from './correlator.js';
import type { Damping } from './damping.js';
import type { CauseState } from './fleet-cause.js';
import { FleetShifts, signalCauseKey, type SettledShift, type ShiftChange, type Showing } from './fleet-shifts.js';
import { readCall, type NovelCall, type NoveltyCause, type TermLabels } from './novelty.js';
import { STREAM_CAP_NATS, sumNats } from './risk.js';

export interface PeerComparisonOptions {
  minAgents: number;
  share: number;
  windowMs: number;
  verdictMs: number;
  openMs: number;
  /** Agents whose activity is followed. */
  maxAgents: number;
  classOf: (agentId: string) => string;
  /** Class of the agents that no profile names: they have nothing in common, so none explains another. */
  unclassed: string;
  labels: TermLabels;
  /** Detectors whose findings are changes of behaviour. */
  detectors: readonly string[];
  correlator: Correlator;
}

/** Evidence that may be compared, with what is needed to find out. */
export interface Comparable {
  evidence: Omit<Evidence, 'damping' | 'novel'>;
  /** Processing time, epoch ms. */
  now: number;
  /** Where a call is assessed. */
  call?: { observation: CallObservation; assessment: Assessment };
  /** Asked only where the call lies near its threshold. */
  novelty: (observation: CallObservation) => CallNovelty;
  line: () => TimelineEntry;
}

/** What comparing an agent's evidence with its peers gives. */
export interface Comparison {
  novel?: NovelCall;
  damping?: Damping;
  showing?: Showing;
  changes: ShiftChange[];
}

const NOTHING: Comparison = { changes: [] };

/**
 * Compares what is unusual about one agent with what its class does, and keeps sessions' incidents and the incident of
 * their class together. Costs next to nothing while nothing lies near a threshold.
 */
export class PeerComparison {
  readonly #options: PeerComparisonOptions;
  readonly #activity: ClassActivity;
  readonly #shifts: FleetShifts;
  readonly #detectors: ReadonlySet<string>;

  constructor(options: PeerComparisonOptions) {
    this.#options = options;
    this.#detectors = new Set(options.detectors);
    this.#activity = new ClassActivity(options);
    this.#shifts = new FleetShifts({
      ...options,
      active: (tenant, agentClass, time) => this.#activity.active(tenant, agentClass, time),
    });
  }

  restore(agents: Iterable<ActiveAgent>, causes: Iterable<CauseState>): void {
    this.#activity.restore(agents);
    this.#shifts.restore(causes);
  }

  stats() {
    return {
      ...this.#shifts.stats(),
      activeAgents: this.#activity.size,
      agentsNotFollowed: this.#activity.untracked,
    };
  }

  /** An agent was active. @param time event time, epoch ms */
  seen(tenant: string, agentId: string, time: number): void {
    this.#activity.touch(tenant, this.#options.classOf(agentId), agentId, time);
  }

  compare(from: Comparable): Comparison {
    const { evidence, now, call } = from;
    const { subject, threshold, time } = evidence;
    const callNats = sumNats(evidence.callTerms);
    const isNear = evidence.callTerms.length > 0 && callNats > threshold.nats - STREAM_CAP_NATS;
    const findings = this.#compared(evidence.signals);
    const agentClass = this.#options.classOf(subject.agentId);
    if (!isNear && findings.length === 0) return this.#explaining(subject.tenant, agentClass);

    const causes: NoveltyCause[] = findings.map(signalCause);
    let novel: NovelCall | undefined;
    const showing: Showing = {
      tenant: subject.tenant,
      agentClass,
      agentId: subject.agentId,
      causes,
      time,
      now,
      isFirm: false,
      target: undefined,
      words: [],
      line: from.line(),
      threshold: { budget: threshold.budget, calibrationGroups: threshold.groups },
    };
    if (isNear && call !== undefined) {
      const { observation, assessment } = call;
      const reading = readCall(observation, assessment, {
        labels: this.#options.labels,
        novelty: () => from.novelty(observation),
      });
      novel = reading.novel;
      if (reading.target !== undefined) causes.push(targetCause(reading.target));
      if (reading.cause !== undefined) causes.push(reading.cause);
      showing.isFirm = reading.isFirm;
      showing.target = reading.target;
      showing.words = reading.novel?.words ?? [];
    } else if (isNear) {
      novel = novelFinding(findings, callNats);
    }
    const isPeer = agentClass !== this.#options.unclassed;
    if (causes.length === 0 || (!isPeer && !showing.isFirm)) return this.#explaining(subject.tenant, agentClass);
    this.#activity.touch(subject.tenant, agentClass, subject.agentId, time);
    const changes = this.#shifts.show(showing);
    const damping = this.#shifts.damping(subject.tenant, agentClass);
    const comparison: Comparison = { changes, showing };
    if (novel !== undefined) comparison.novel = novel;
    if (damping !== undefined) comparison.damping = damping;
    return comparison;
  }

  /** Takes in shifts that were opened or have grown. @returns every incident that changed */
  take(changes: readonly ShiftChange[]): Incident[] {
    const { correlator } = this.#options;
    const changed: Incident[] = [];
    for (const { incident, opened, shownIn } of changes) {
      if (opened)
        for (const { incidentId, isFirm } of shownIn)
          changed.push(...this.#gatherEarlier(incident, incidentId, isFirm));
      const held = correlator.incident(incident.tenant, incident.id);
      if (held?.status === 'closed') continue;
      const facts = this.#listed(incident);
      correlator.adopt(facts);
      changed.push(facts);
    }
    return changed;
  }

  /** Keeps a session's changed incident with the shift that it belongs to, or takes it out again. */
  settle(incident: Incident, { shiftId }: Correlation, { showing }: Comparison): Incident {
    const { correlator } = this.#options;
    const { tenant } = incident;
    if (showing !== undefined) this.#shifts.noteIncident(showing, incident.id);
    const campaign =
      showing === undefined ? undefined : this.#shifts.campaignOver(tenant, showing.agentClass, showing.causes);
    let belongsTo = shiftId ?? campaign;
    if (belongsTo === undefined && incident.gatheredBy !== undefined) {
      // Evidence of its own takes a session out of a release, but makes it no less a part of a campaign.
      const isCampaign = this.#shifts.natureOf(tenant, incident.gatheredBy) === 'campaign';
      if (isCampaign) belongsTo = incident.gatheredBy;
    }
    if (belongsTo !== undefined) this.#shifts.gather(tenant, belongsTo, incident.id);
    return correlator.gather(incident, belongsTo) ?? incident;
  }

  /** Whether nothing but what peers do alike holds the session's incident up now. */
  explains(incident: Incident): boolean {
    const { classOf, correlator } = this.#options;
    const damping = this.#shifts.damping(incident.tenant, classOf(incident.agentId));
    return damping !== undefined && correlator.isExplained(incident, damping);
  }

  /** What becomes of a session that ended without an incident of its own because a shift explained it. */
  outcome(tenant: string, agentId: string, shiftId: string): SessionOutcome {
    const status = this.#shifts.statusOf(tenant, shiftId);
    if (status === 'accepted') return 'learn';
    return status === 'open' ? { quarantine: this.#shifts.quarantineKey(tenant, shiftId, agentId) } : 'discard';
  }

  /** @param now processing time, epoch ms */
  onVerdict(verdict: Verdict, now: number): SettledShift | undefined {
    return this.#shifts.onVerdict(verdict, now);
  }

  /** @param now processing time, epoch ms */
  expire(now: number): void {
    this.#shifts.expire(now);
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#activity.drain(puts, deletes);
    this.#shifts.drain(puts, deletes);
  }

  /** An incident that showed the cause before it was a shift. One whose session has ended is judged by what it showed. */
  #gatherEarlier(shift: Incident, incidentId: string, isFirm: boolean): Incident[] {
    const { correlator } = this.#options;
    const { tenant, fleet } = shift;
    const incident = correlator.incident(tenant, incidentId);
    if (incident === undefined || incident.status === 'closed') return [];
    const damping = this.#shifts.damping(tenant, fleet?.agentClass ?? '');
    const isExplained = correlator.isRunning(incident)
      ? damping !== undefined && correlator.isExplained(incident, damping)
      : !isFirm && !incident.violation;
    if (fleet?.nature !== 'campaign' && !isExplained) return [];
    this.#shifts.gather(tenant, shift.id, incidentId);
    const changed = correlator.gather(incident, shift.id);
    return changed === undefined ? [] : [changed];
  }

  /** The shift's incident with the incidents that it gathers now. */
  #listed(incident: Incident): Incident {
    const incidentIds = this.#shifts.gathered(incident.tenant, incident.id);
    return incident.fleet === undefined ? incident : { ...incident, fleet: { ...incident.fleet, incidentIds } };
  }

  #explaining(tenant: string, agentClass: string): Comparison {
    const damping = this.#shifts.damping(tenant, agentClass);
    return damping === undefined ? NOTHING : { damping, changes: NOTHING.changes };
  }

  #compared(signals: readonly Signal[]): readonly Signal[] {
    if (signals.length === 0) return signals;
    return signals.filter(
      ({ detectorId, violation, shadow }) => !violation && !shadow && this.#detectors.has(detectorId),
    );
  }
}

function signalCause({ detectorId }: Signal): NoveltyCause {
  return { key: signalCauseKey(detectorId), about: `showed ${detectorId.replaceAll('-', ' ')}` };
}

function targetCause({ hash, value }: { hash: number; value: string }): NoveltyCause {
  return { key: `target:${hash}`, about: `acted on ${value}, which is new to them` };
}

/** What a finding about whole sessions weighs, where it is the whole case. */
function novelFinding(findings: readonly Signal[], nats: number): NovelCall | undefined {
  const [first] = findings;
  if (first === undefined || findings.length > 1) return undefined;
  const cause = signalCauseKey(first.detectorId);
  return { cause, nats, toolNats: Math.min(nats, first.nats), argumentNats: 0, words: [], wordCount: 0 };
}

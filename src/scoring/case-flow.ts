import type { Evidence } from '../correlate/correlator.js';
import type { Comparable } from '../correlate/peer-comparison.js';
import { timelineEntry } from '../correlate/timeline.js';
import type { TimelineEntry } from '../model/incident.js';
import { circumstancesOf } from './agent-history.js';
import type { Overreach } from './overreach.js';
import type { Turn } from './turn.js';

/** What was found about an observation, a window or a session, before it is weighed. */
export type Unweighed = Omit<Evidence, 'threshold'> &
  Partial<Pick<Evidence, 'threshold'>> &
  Partial<Pick<Required<Comparable>, 'call'>>;

/** Evidence -> risk -> incident -> commands. */
export class CaseFlow {
  readonly #turn: Turn;
  readonly #overreach: Overreach;

  constructor(turn: Turn, overreach: Overreach) {
    this.#turn = turn;
    this.#overreach = overreach;
  }

  /** Weighs what was found; opens or continues an incident, and does about it what policy says. */
  weigh({ call, ...evidence }: Unweighed) {
    const { baselines, correlator, responder, peers } = this.#turn.parts;
    const { tenant, agentId } = evidence.subject;
    this.#turn.counters.signals += evidence.signals.length;
    this.#turn.emit(evidence.signals.map((value) => ({ type: 'signal', value })));
    // An operator vouches for this traffic: it is learned from and raises nothing.
    if (baselines.learning(tenant) === 'vouched') return { riskNats: 0, opened: false, incident: undefined };
    const threshold = evidence.threshold ?? baselines.threshold(tenant, agentId);
    const compared = peers.compare({
      evidence: { ...evidence, threshold },
      now: this.#turn.now,
      ...(call === undefined ? {} : { call }),
      novelty: (observation) => baselines.novelty(observation),
      line: () => comparedLine(evidence, call),
    });
    this.#turn.emit(peers.take(compared.changes).map((value) => ({ type: 'incident', value })));
    const { novel, damping } = compared;
    const correlation = correlator.observe({
      ...evidence,
      threshold,
      ...(novel === undefined ? {} : { novel }),
      ...(damping === undefined ? {} : { damping }),
    });
    const { incident, opened, shiftId } = correlation;
    if (incident === undefined) return { ...correlation, incident: undefined };
    if (opened) {
      this.#turn.counters.incidents++;
      this.#turn.parts.alarms.opened(incident, this.#turn.parts.classOf(agentId));
    }
    const sharedBehaviour = shiftId === undefined ? undefined : correlator.incident(tenant, shiftId)?.title;
    const circumstances = { ...circumstancesOf(this.#turn.parts, incident, evidence.time), sharedBehaviour };
    const effects = responder.onIncident(incident, circumstances, this.#turn.now);
    const commandIds = effects.flatMap((effect) => (effect.type === 'command' ? [effect.value.id] : []));
    const linked = peers.settle(correlator.linkCommands(incident, commandIds), correlation, compared);
    this.#turn.emit([{ type: 'incident', value: linked }, ...effects]);
    this.#overreach.tellOfCap(evidence.time);
    return { ...correlation, incident: linked };
  }
}

/** One agent's part in what its whole class does, as a line for a person. */
function comparedLine({ subject, time, signals, causeId }: Unweighed, call: Comparable['call']): TimelineEntry {
  const { agentId } = subject;
  if (call === undefined) {
    return { time, stream: 'parallax', text: `${agentId}: ${signals[0]?.reason ?? ''}`, refId: causeId };
  }
  const line = timelineEntry(call.observation);
  return { ...line, text: `${agentId} ${line.text}` };
}

import type { AlarmLedger } from '../correlate/alarm-ledger.js';
import type { BlastNotices } from '../correlate/blast-notice.js';
import type { Correlator, Subject } from '../correlate/correlator.js';
import type { PeerComparison } from '../correlate/peer-comparison.js';
import type { BaselineRegistry } from '../baseline/registry.js';
import type { DetectorSet } from '../detect/loader.js';
import type { FinishedSubject } from '../detect/port.js';
import type { IndexedDetectorRunner } from '../detect/runner.js';
import type { Entitlements } from '../governance/entitlements.js';
import type { EventTimeJoin } from '../join/event-time-join.js';
import type { Clock } from '../lib/clock.js';
import type { StatePut } from '../lib/state-table.js';
import type { Log, ScoringStore } from '../log/port.js';
import type { OutboxEntry } from '../model/effect.js';
import type { Incident } from '../model/incident.js';
import type { CallObservation, Observation } from '../model/observation.js';
import type { Signal } from '../model/signal.js';
import type { Window } from '../model/window.js';
import type { CheckAnswer } from '../model/wire.js';
import type { Holds } from '../respond/holds.js';
import type { Responder } from '../respond/responder.js';

/** What was made of one observation; for those who watch scoring itself (evaluation, case tests). */
export interface Scored {
  observation: Observation;
  signals: Signal[];
  /** Raw risk of the call, nats; undefined where no call was scored. */
  callNats: number | undefined;
  incident: Incident | undefined;
  /** This observation opened the incident. */
  opened: boolean;
}

export interface ScoringParts {
  log: Log;
  store: ScoringStore;
  join: EventTimeJoin;
  baselines: BaselineRegistry;
  entitlements: Entitlements;
  detectors: IndexedDetectorRunner;
  /** A detector set that was activated, by its hash. */
  detectorSet: (hash: string) => DetectorSet | undefined;
  correlator: Correlator;
  alarms: AlarmLedger;
  /** Class of an agent, by name. */
  classOf: (agentId: string) => string;
  peers: PeerComparison;
  blastNotices: BlastNotices;
  responder: Responder;
  holds: Holds;
  clock: Clock;
  mode: 'observe' | 'act';
  /** Longest time between two checkpoints while there is work, ms. */
  checkpointMs: number;
  /** Most records between two checkpoints: so many are scored again after a crash. */
  checkpointRecords: number;
  /** Longest rest between two moves of effects into the outbox, ms: people wait for what was found in it. */
  maxEffectsRestMs: number;
  /** Most records taken from the log at once. Changes no result, only how long a check may wait behind a slice. */
  sliceRecords: number;
  /** Answers a gateway that asked about this observation. */
  answer: (observationId: string, answer: CheckAnswer) => void;
  /** Committed effects, in order. */
  committed: (entries: OutboxEntry[]) => void;
  /** State of parts that keep their own journal beside the tables, to be written with the checkpoint. */
  drainMore: (puts: StatePut[], deletes: string[]) => void;
  /** Something an operator should know. */
  notice: (message: string, facts: Record<string, unknown>) => void;
  /** Told of every scored observation and the risk of its session after it, nats; makes nothing for it. */
  seen?: (observation: Observation, riskNats: number) => void;
  scored?: (result: Scored) => void;
  windowScored?: (window: Window, signals: Signal[], openedIncident: Incident | undefined) => void;
  sessionScored?: (finished: FinishedSubject, signals: Signal[]) => void;
}

export function isCall(observation: Observation): observation is CallObservation {
  return observation.kind === 'tool_attempt' || observation.kind === 'tool_call';
}

export function subjectOf(of: { tenant: string; agentId: string; sessionId?: string }): Subject {
  const { tenant, agentId, sessionId } = of;
  return sessionId === undefined ? { tenant, agentId } : { tenant, agentId, sessionId };
}

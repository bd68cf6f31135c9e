import type { GovernanceFacts } from '../governance/port.js';
import type { RiskTerm } from '../model/incident.js';
import type { Observation } from '../model/observation.js';
import type { Signal } from '../model/signal.js';
import type { Window } from '../model/window.js';

/**
 * One thing the baselines say about an observation: how surprising it is, from how many samples, and in words.
 * Detectors in YAML pick measures by name, put conditions on them and turn them into signals.
 */
export interface Measure {
  /** Surprise, nats: `-ln p`, never saturated. 0 means as expected. */
  nats: number;
  /** Samples behind it. */
  sampleSize: number;
  observed: string;
  expected: string;
}

/** Names of measures that exist; a detector that asks for another refuses to load. */
export type MeasureNames = ReadonlySet<string>;

/** What the session has done so far and what the baselines say about this observation. */
export interface Assessment {
  observation: Observation;
  measures: ReadonlyMap<string, Measure>;
  /** Terms of the call's combined risk (nats); their sum is the raw risk. Empty for observations that are not calls. */
  terms: readonly RiskTerm[];
  session: SessionFacts;
  /** What the agent is entitled to at this moment; undefined where nobody asked. */
  governance: GovernanceFacts | undefined;
  /** Emitters whose observations the measures rest on, this observation's own first. */
  emitters: string[];
  evidenceIds: string[];
  baselineVersion: number;
}

/** Numbers and flags about the session before this observation; conditions read them as `session.calls` etc. */
export interface SessionFacts {
  calls: number;
  writes: number;
  denied: number;
  errors: number;
  prompts: number;
  messages: number;
  /** Milliseconds of event time since the session's first event. */
  ageMs: number;
  /** This call was announced by the model. */
  declared: boolean;
  /** Any reasoning was seen in this session. */
  reasoned: boolean;
  /** Content from an untrusted source has been read since the user last spoke. */
  exposed: boolean;
  /** A control denied a call or withheld a result since the user last spoke. */
  controlled: boolean;
  /** The call goes against a command in force that a gateway has confirmed, and no person let it through. */
  contained: boolean;
  /** How often this very call (tool and arguments) is among the session's latest sixteen calls before it. */
  sameCallRepeats: number;
  /** Calls that tried a tool again right after it had failed or been denied, this one included. */
  retriesAfterError: number;
  /** Share of the calls that were denied, 0 to 1. */
  deniedShare: number;
  /** As metrics say (`costUsd`), this one included. */
  costUsd: number;
  /** As messages or metrics say, whichever is more, this one included. */
  tokens: number;
  /** Calls before this one since reasoning was last seen. */
  callsSinceReasoning: number;
  /** Milliseconds of event time since reasoning was last seen; 0 where it never was. */
  lastReasoningAgeMs: number;
  /** Different tools used. */
  distinctTools: number;
}

/** What the baselines say about a joined window, where they say anything. */
export interface WindowMeasures {
  measures: ReadonlyMap<string, Measure>;
  baselineVersion: number;
}

/** A session that is over, as a whole, and what it says about its agent. */
export interface FinishedFacts {
  /** Numbers of the session: `calls`, `tokens`, `costUsd` ... */
  features: Readonly<Record<string, number>>;
  measures: ReadonlyMap<string, Measure>;
  /** Emitters heard in it. */
  emitters: string[];
  baselineVersion: number;
}

/** The same with its names. */
export interface FinishedSubject extends FinishedFacts {
  tenant: string;
  agentId: string;
  sessionId?: string;
  /** Event time, epoch ms. */
  firstTime: number;
  lastTime: number;
}

/** Runs every active detector over what happened. A throwing detector is isolated and counted. */
export interface DetectorRunner {
  event(assessment: Assessment): Signal[];
  window(window: Window, measured?: WindowMeasures): Signal[];
  /** Findings about the agent, not about the one session: they carry no session. */
  session(finished: FinishedSubject): Signal[];
}

import type { DiscoveryQuery, DiscoveryReport } from '../governance/port.js';
import type {
  ArchivedVersion,
  BaselineVersion,
  KeptVersion,
  Ordered,
  RebuildOrder,
  RebuildStatus,
  RestoreOrder,
} from '../model/baseline.js';
import type { Command, Restriction } from '../model/command.js';
import type { ContentRead } from '../model/content-read.js';
import type { ErasedTable, ErasureStatus, ErasureSubject } from '../model/erasure.js';
import type { FleetLift } from '../model/fleet-lift.js';
import type { Hold } from '../model/hold.js';
import type { Incident, IncidentStatus } from '../model/incident.js';
import type { Acknowledgement, Activation, OperatorOrder, Verdict } from '../model/log-record.js';
import type { Observation, Payload } from '../model/observation.js';
import type { Principal } from '../model/principal.js';
import type { RecordPlace } from '../model/record-place.js';
import type { ResponseExplanation } from '../respond/port.js';
import type { Subscription, SubscriptionOptions } from '../respond/port.js';
import type { SourceReport, TopicSourceReport } from '../model/source-report.js';
import type { CheckAnswer, CheckRequest, IntakeReport, RefusedRecord } from '../model/wire.js';

/** A record as it came in, before it is known to be good. `bytes` is its size on the wire. */
export interface IncomingRecord {
  index: number;
  value: unknown;
  bytes: number;
  /** Where it lies, if it did not come with a request. */
  place?: RecordPlace;
}

/** Takes records in. Declared here by its consumer; built in `normalize/`, handed over by `app.ts`. */
export interface Intake {
  /**
   * Normalises, derives, redacts and logs. Resolves when the log has committed everything that was accepted and the
   * dead letters of everything that was refused.
   *
   * @param refused records that the parser already refused, with their raw text
   * @param format the wire format of the records; the native one when left out
   * @param seen told of each observation that is taken in, before it is in the log
   * @throws OverloadError (lib/overload.ts) when too much is pending (429) or the log is full (503); an error with code
   *   `UNKNOWN_FORMAT` when there is no such format
   */
  accept(
    records: readonly IncomingRecord[],
    refused: readonly RefusedRecord[],
    principal: Principal,
    format?: string,
    seen?: (observation: Observation) => void,
  ): Promise<IntakeReport>;
}

/** Signals and encodings of OTLP/HTTP. */
export type OtlpSignal = 'traces' | 'logs' | 'metrics';
export type OtlpEncoding = 'protobuf' | 'json';

/** Takes OTLP exports in. */
export interface OtlpReceiver {
  /**
   * Reads, places and logs an export. Resolves with the answer's body when all that was accepted is in the log.
   *
   * @throws OverloadError as `Intake`; an error with `otlpStatus` 400 or 413 for a body that is no export, or too much
   */
  receive(
    request: { signal: OtlpSignal; encoding: OtlpEncoding; body: Buffer },
    principal: Principal,
  ): Promise<Uint8Array>;
  /** Body of an error, `google.rpc.Status`. @param code of google.rpc.Code */
  errorBody(encoding: OtlpEncoding, code: number, message: string): Uint8Array;
}

/**
 * An event from the binary form of CloudEvents over HTTP.
 *
 * @param headers lower-case names
 * @param data the body
 */
export type CloudEventBinding = (headers: Iterable<readonly [string, string]>, data: unknown) => unknown;

/** Declarative mappings, each a wire format `map/<name>` of the intake. */
export interface Mappings {
  has(name: string): boolean;
}

/** Where agents are scored, in an install of several nodes. */
export interface Owners {
  /** Where to reach the node that scores the agent; undefined where that is this one, or none is known. */
  urlOf(tenant: string, agentId: string): string | undefined;
}

/** Answers gateways that ask. */
export interface Checker {
  /** Longest wait for an answer, ms. */
  readonly deadlineMs: number;
  /** Logs the attempt, has it scored in the event lane and answers within the deadline. */
  check(request: CheckRequest, principal: Principal): Promise<CheckAnswer>;
}

/** Read side of scoring's own state: what is open now. History comes from ClickHouse. */
export interface IncidentBoard {
  list(filter: { tenant: string; status?: IncidentStatus; agentId?: string; limit: number }): Incident[];
  get(tenant: string, id: string): Incident | undefined;
}

/** Read side of command state. */
export interface CommandBoard {
  /** Full current restriction state of a tenant's agents. */
  restrictions(tenant: string): Restriction[];
  list(filter: { tenant: string; limit: number }): Command[];
  get(tenant: string, id: string): Command | undefined;
  /** What a gateway is told, in order. */
  subscribe(options: SubscriptionOptions): Subscription;
}

/** Calls that wait for a person, or did. */
export interface HoldBoard {
  /** Newest change first. */
  list(filter: { tenant: string; limit: number }): Hold[];
  get(tenant: string, id: string): Hold | undefined;
  /** The held call as soon as it is known and waits no more, or as it is when the signal aborts. */
  decided(tenant: string, id: string, signal: AbortSignal): Promise<Hold | undefined>;
}

/** Explains what the response policy says. */
export interface ResponseBoard {
  /** What would be done about an incident now; undefined where scoring does not know it any more. */
  explain(tenant: string, incidentId: string): ResponseExplanation | undefined;
}

/** Lifts that concern many agents. */
export interface FleetLiftBoard {
  /** Newest change first. */
  list(tenant: string): FleetLift[];
  get(tenant: string, id: string): FleetLift | undefined;
  /** Names of the classes of agents. */
  readonly classes: readonly string[];
}

/** Which agents there are. */
export interface AgentBoard {
  /** Whether anything was ever observed of the agent. */
  knows(tenant: string, agentId: string): boolean;
}

/** Compares what is declared with what was observed. */
export interface DiscoveryBoard {
  discover(query: DiscoveryQuery): Promise<DiscoveryReport>;
}

/** Writes records that people and gateways cause. Resolves when the log has committed them. */
export interface Journal {
  acknowledge(ack: Acknowledgement): Promise<void>;
  verdict(verdict: Verdict): Promise<void>;
  order(order: OperatorOrder): Promise<void>;
  activate(activation: Activation): Promise<void>;
}

/** Published versions of what is normal for an agent. */
export interface BaselineBoard {
  /** Features of one version, or the newest of each feature; undefined while the store does not answer. */
  features(filter: { tenant: string; agentId: string; version?: number }): Promise<BaselineVersion[] | undefined>;
  /** Versions that the agent can be taken back to, oldest first. */
  kept(tenant: string, agentId: string): KeptVersion[];
  /** Versions that lie whole in ClickHouse, latest first; undefined while it does not answer. */
  archived(tenant: string, agentId: string): Promise<ArchivedVersion[] | undefined>;
  /** Has scoring adopt an archived version. */
  restore(order: RestoreOrder): Promise<Ordered>;
  /** Begins to make a baseline anew from stored observations. */
  rebuild(order: RebuildOrder): Ordered;
  /** How far the latest rebuild is; undefined where there was none since the start. */
  rebuildStatus(tenant: string, agentId: string): RebuildStatus | undefined;
}

/** Takes changed detectors into service. */
export interface DetectorAdmin {
  /** Reads the folder now; a set with any mistake is refused, and the old one acts on. */
  reload(): Promise<
    | { status: 'activated' | 'unchanged'; hash: string; detectors: number }
    | { status: 'refused'; hash: string; problems: string[] }
  >;
}

/** Content for people, and who read it. `away`: the store does not answer. */
export interface ContentBoard {
  /**
   * Resolves when the log has committed that it is read; undefined where there is nothing that the reader may see.
   *
   * @throws whatever kept the log from taking the record
   */
  read(reader: Principal, observationId: string, reason: string): Promise<Payload | undefined | 'away'>;
  /** Newest first. */
  audit(tenant: string, limit: number): Promise<ContentRead[] | 'away'>;
}

/** Has data of agents and persons erased. `away`: the store does not answer. */
export interface ErasureBoard {
  /** Rows that would be erased, by table. */
  preview(tenant: string, subject: ErasureSubject): Promise<ErasedTable[] | 'away'>;
  /** Resolves once the log has committed that it was ordered; `busy` while another one runs */
  begin(by: Principal, subject: ErasureSubject, reason: string): Promise<ErasureStatus | 'away' | 'busy'>;
  status(tenant: string, id: string): ErasureStatus | undefined;
}

/** What is known of emitters. */
export interface SourceBoard {
  /** The emitters of a tenant, by id. */
  report(tenant: string): SourceReport[];
  /** Topics of others that are read here in a tenant's name. */
  topics(tenant: string): TopicSourceReport[];
  /** Takes note that an emitter spoke for an agent that its key is not bound to. */
  forged(emitter: Principal, agentId: string): void;
}

/** What `/v1/status` shows. */
export interface StatusBoard {
  /** Counters of the whole install only to who oversees it; to others what concerns their own tenant. */
  status(principal: Principal): Record<string, unknown>;
  /** Whether somebody may see the counters of the whole install, which other tenants' traffic moves too. */
  oversees(principal: Principal): boolean;
}

/** Who looks at the page, what that person may do there and what is looked for. */
export interface PageRequest {
  principal: Principal;
  /** What the page's own requests must carry, to tell them from another site's. */
  token: string;
  /** Buttons that are offered; the routes behind them check again. */
  may: { contain: boolean; judge: boolean };
  /** Part of an agent's name; empty for all. */
  agent: string;
  /** Status of the incidents that are listed. */
  status?: IncidentStatus;
  /** Id of the incident that is open. */
  open?: string;
}

/** A file of the page. */
export interface PageFile {
  type: string;
  body: string;
}

/** The page for people, as HTML in which everything from outside is escaped. Built in `console/`. */
export interface Pages {
  board(request: PageRequest): string;
  /** The part of the board that changes, alone. */
  view(request: PageRequest): string;
  /** @param trouble why the last try failed */
  signIn(trouble?: string): string;
  script: PageFile;
  style: PageFile;
  icon: PageFile;
}

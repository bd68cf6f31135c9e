import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Clock } from '../lib/clock.js';
import type { Principal } from '../model/principal.js';
import type { Signing } from '../signing/port.js';
import type { OperationsBoard } from '../telemetry/port.js';
import type { SignedBatches } from './signed-batches.js';
import type { ByteBudget } from './byte-budget.js';
import type {
  AgentBoard,
  BaselineBoard,
  CloudEventBinding,
  Checker,
  CommandBoard,
  ContentBoard,
  ErasureBoard,
  DetectorAdmin,
  DiscoveryBoard,
  FleetLiftBoard,
  HoldBoard,
  IncidentBoard,
  Intake,
  Journal,
  Mappings,
  Owners,
  OtlpReceiver,
  ResponseBoard,
  SourceBoard,
  StatusBoard,
} from './port.js';

/** What hono carries along with a request. */
export interface Env {
  Bindings: HttpBindings;
  Variables: { principal: Principal };
}

export type ApiContext = Context<Env>;

export interface ApiLimits {
  maxBodyBytes: number;
  /** The same for OTLP, after decompression. */
  maxOtlpBytes: number;
  maxRecordBytes: number;
  maxRecordsPerRequest: number;
  maxDepth: number;
  maxPendingBytes: number;
  maxStreamsPerKey: number;
  /** Time between two signs of life on a stream, ms. */
  heartbeatMs: number;
}

/** Everything the API stands on. It is given to it; it builds nothing of this itself. */
export interface ApiPorts {
  intake: Intake;
  otlp: OtlpReceiver;
  batches: Pick<SignedBatches, 'admit'>;
  cloudEvent: CloudEventBinding;
  mappings: Mappings;
  checker: Checker;
  /** Absent where all agents are scored here. */
  owners?: Owners;
  incidents: IncidentBoard;
  commands: CommandBoard;
  holds: HoldBoard;
  responses: ResponseBoard;
  lifts: FleetLiftBoard;
  agents: AgentBoard;
  baselines: BaselineBoard;
  discovery: DiscoveryBoard;
  journal: Journal;
  detectors: DetectorAdmin;
  sources: SourceBoard;
  content: ContentBoard;
  erasures: ErasureBoard;
  status: StatusBoard;
  operations: OperationsBoard;
  signing: Signing;
  clock: Clock;
}

/** Running totals since the start, for `/v1/status` and metrics. */
export interface ApiCounters {
  requests: number;
  unauthenticated: number;
  forbidden: number;
  rejected: number;
  failed: number;
  streamsOpened: number;
  polls: number;
  streamsStalled: number;
  /** Requests that came while the service was stopping. */
  turnedAway: number;
}

/** What route files share. */
export interface ApiDeps {
  ports: ApiPorts;
  limits: ApiLimits;
  budget: ByteBudget;
  counters: ApiCounters;
  /** Aborted when the server closes: ends every stream. */
  closing: AbortSignal;
}

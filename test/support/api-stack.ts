import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiLimits, ApiPorts } from '../../src/api/context.js';
import { createApi, type Api } from '../../src/api/create-api.js';
import { listen, type HttpServer } from '../../src/api/http-server.js';
import { loadKeys } from '../../src/api/keys.js';
import type { CommandBoard, DiscoveryBoard } from '../../src/api/port.js';
import type { Config, KeyConfig } from '../../src/config.js';
import { createConsole } from '../../src/console/console.js';
import { AgentView } from '../../src/correlate/agent-view.js';
import type { DiscoveryReport } from '../../src/governance/port.js';
import { systemClock } from '../../src/lib/clock.js';
import { EmbeddedEnvironment } from '../../src/log/embedded-environment.js';
import { EmbeddedLog } from '../../src/log/embedded-log.js';
import type { Log } from '../../src/log/port.js';
import type {
  ArchivedVersion,
  BaselineVersion,
  RebuildOrder,
  RebuildStatus,
  RestoreOrder,
} from '../../src/model/baseline.js';
import type { Command, Restriction } from '../../src/model/command.js';
import type { Effect, OutboxEntry } from '../../src/model/effect.js';
import type { Incident } from '../../src/model/incident.js';
import type { Acknowledgement, Activation, LogRecord, OperatorOrder, Verdict } from '../../src/model/log-record.js';
import type { CheckRequest } from '../../src/model/wire.js';
import { cloudEventNormalizer, fromBinary } from '../../src/normalize/cloud-events.js';
import { SignedBatches, type SignedBatchesOptions } from '../../src/api/signed-batches.js';
import { ContentDesk } from '../../src/store/content-desk.js';
import type { ContentReads } from '../../src/store/port.js';
import { encodeRecord } from '../../src/model/encode-record.js';
import { Door } from '../../src/normalize/door.js';
import { LoggingIntake } from '../../src/normalize/intake.js';
import { workNormalizer } from '../../src/normalize/genai/work-normalizer.js';
import { litellmNormalizer } from '../../src/normalize/litellm.js';
import { nativeNormalizer } from '../../src/normalize/native.js';
import { MappingFolder } from '../../src/normalize/mapping/mapping-folder.js';
import { OtlpIntake } from '../../src/normalize/otlp/otlp-intake.js';
import { otlpReceiver } from '../../src/normalize/otlp/receiver.js';
import { responseCaseSchema } from '../../src/respond/response-case.js';
import { BoardSubscription } from '../../src/respond/board-subscription.js';
import type { CommandSource, Subscription, SubscriptionOptions } from '../../src/respond/port.js';
import { FleetLiftView } from '../../src/respond/fleet-lift-view.js';
import { HoldView } from '../../src/respond/hold-view.js';
import { openSigning } from '../../src/signing/open-signing.js';
import { repositoryRoot } from './recorded.js';
import { temporaryDirectory } from './temporary-directory.js';

export const SEED = 0x5eed;

export const LIMITS: ApiLimits = {
  maxBodyBytes: 16 * 1024 * 1024,
  maxOtlpBytes: 64 * 1024 * 1024,
  maxRecordBytes: 1024 * 1024,
  maxRecordsPerRequest: 20_000,
  maxDepth: 32,
  maxPendingBytes: 64 * 1024 * 1024,
  maxStreamsPerKey: 2,
  heartbeatMs: 200,
};

const SIGNING: Config['signing'] = {
  algorithm: 'EdDSA',
  issuer: 'parallax',
  lifetimeMs: 60_000,
  overlapMs: 60_000,
};

const KEYS: { id: string; role: KeyConfig['role']; change?: Partial<KeyConfig> }[] = [
  { id: 'runtime', role: 'ingest', change: { streams: ['reasoning'] } },
  { id: 'all', role: 'ingest', change: { streams: ['reasoning', 'action', 'governance', 'metric'] } },
  { id: 'bound', role: 'ingest', change: { streams: ['reasoning'], agents: ['agent-a', 'team-*'] } },
  { id: 'gateway', role: 'gateway', change: { streams: ['action'] } },
  { id: 'gateway-a', role: 'gateway', change: { streams: ['action'], agents: ['agent-a'] } },
  { id: 'gateway-mute', role: 'gateway', change: { streams: ['metric'] } },
  { id: 'viewer', role: 'viewer' },
  { id: 'analyst', role: 'analyst' },
  { id: 'responder', role: 'responder' },
  { id: 'admin', role: 'admin' },
  { id: 'stranger', role: 'admin', change: { tenant: 'elsewhere' } },
];

/** Secret of a test key. */
export function secretOf(id: string): string {
  return `secret-of-${id}-0123456789`;
}

const NONE = { items: [], total: 0 };
const NOTHING_DISCOVERED: DiscoveryReport = {
  agents: 0,
  unnamedTools: 0,
  unknownAgents: NONE,
  undeclaredTools: NONE,
  unusedTools: NONE,
  unusedGrants: NONE,
  prohibitedTools: NONE,
  emptyClasses: [],
};

/** A board that a test writes on. */
export class FakeCommandBoard implements CommandBoard, CommandSource {
  entries: OutboxEntry[] = [];
  state: Restriction[] = [];
  commands: Command[] = [];
  sequence = 0;
  oldestSequence = 0;
  #wake: (() => void)[] = [];

  restrictions(tenant: string): Restriction[] {
    return this.state.filter((r) => r.tenant === tenant);
  }

  list({ tenant, limit }: { tenant: string; limit: number }): Command[] {
    return this.commands.filter((c) => c.tenant === tenant).slice(0, limit);
  }

  get(tenant: string, id: string): Command | undefined {
    return this.commands.find((c) => c.tenant === tenant && c.id === id);
  }

  subscribe(options: SubscriptionOptions): Subscription {
    return new BoardSubscription(this, options);
  }

  push(effect: Effect): void {
    this.entries.push({ sequence: ++this.sequence, effect });
    for (const wake of this.#wake.splice(0)) wake();
  }

  async changesAfter(sequence: number, signal: AbortSignal): Promise<OutboxEntry[]> {
    for (;;) {
      const found = this.entries.filter((e) => e.sequence > sequence).slice(0, 1000);
      if (found.length > 0 || signal.aborted) return found;
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wake.push(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}

export interface ApiStack {
  url: string;
  server: HttpServer;
  api: Api;
  log: Log;
  intake: LoggingIntake;
  board: FakeCommandBoard;
  holds: HoldView;
  lifts: FleetLiftView;
  incidents: Incident[];
  /** Rows of agent-a; version 3 is its newest. */
  baselines: BaselineVersion[];
  /** Versions of every agent that lie whole in ClickHouse. Version 1 can be restored. */
  archived: ArchivedVersion[];
  restores: RestoreOrder[];
  rebuilds: RebuildOrder[];
  /** What the next questions for a rebuild are answered. */
  rebuildStatuses: RebuildStatus[];
  journal: { acks: Acknowledgement[]; verdicts: Verdict[]; orders: OperatorOrder[]; activations: Activation[] };
  checks: CheckRequest[];
  unexpected: unknown[];
  /** Every record in the log, decoded. */
  logged: () => LogRecord[];
  post: (path: string, body: string | Uint8Array | object, options?: PostOptions) => Promise<Response>;
  get: (path: string, key?: string) => Promise<Response>;
  close: () => Promise<void>;
}

export interface PostOptions {
  key?: string;
  type?: string;
  headers?: Record<string, string>;
}

/** The API over real HTTP, the real intake and a real log in a temporary directory; boards are the test's own. */
export async function startApi(
  change: {
    limits?: Partial<ApiLimits>;
    log?: (log: Log) => Pick<Log, 'append'>;
    maxPendingBytes?: number;
    discovery?: DiscoveryBoard;
    operations?: Partial<ApiPorts['operations']>;
    signing?: Partial<typeof SIGNING>;
    batches?: Partial<SignedBatchesOptions>;
    /** What ClickHouse has; it does not answer when left out. */
    content?: ContentReads;
    erasures?: ApiPorts['erasures'];
  } = {},
): Promise<ApiStack> {
  const limits = { ...LIMITS, ...change.limits };
  const directory = temporaryDirectory();
  const environment = EmbeddedEnvironment.open({ directory: join(directory.path, 'log'), clock: systemClock });
  const log = new EmbeddedLog(environment);
  const mappings = new MappingFolder({ directory: join(repositoryRoot, 'mappings'), notice: () => {} });
  const door = new Door([], systemClock);
  const intake = new LoggingIntake({
    door,
    log: change.log?.(log) ?? log,
    clock: systemClock,
    normalizers: [nativeNormalizer, workNormalizer, cloudEventNormalizer, litellmNormalizer],
    moreNormalizers: (format) => mappings.normalizer(format),
    seed: SEED,
    maxPendingBytes: change.maxPendingBytes ?? limits.maxPendingBytes,
  });
  const board = new FakeCommandBoard();
  const holds = new HoldView(100);
  const lifts = new FleetLiftView();
  const incidents: Incident[] = [];
  const baselines: BaselineVersion[] = [];
  const journal: ApiStack['journal'] = { acks: [], verdicts: [], orders: [], activations: [] };
  const archived: ArchivedVersion[] = [];
  const restores: RestoreOrder[] = [];
  const rebuilds: RebuildOrder[] = [];
  const rebuildStatuses: RebuildStatus[] = [];
  const checks: CheckRequest[] = [];
  const unexpected: unknown[] = [];
  const signing = await openSigning({
    config: { dataDir: directory.path, signing: { ...SIGNING, ...change.signing } },
    clock: systemClock,
    startedAt: -1,
  });
  const ports: ApiPorts = {
    intake,
    mappings,
    batches: new SignedBatches({ emitters: new Map(), sequences: new Map(), trouble: () => {}, ...change.batches }),
    cloudEvent: fromBinary,
    otlp: otlpReceiver(new OtlpIntake({ intake, waitMs: 400, sleep: (ms) => sleep(ms) }), {
      maxRecordBytes: LIMITS.maxRecordBytes,
      maxRecords: LIMITS.maxRecordsPerRequest,
    }),
    commands: board,
    holds,
    signing,
    clock: systemClock,
    checker: {
      deadlineMs: 250,
      check: async (request, principal) => {
        checks.push(request);
        await log.append(intake.prepareAttempt(request, principal).records);
        return { decision: 'allow', wouldBe: 'allow', reason: 'test', riskNats: 0, thresholdNats: 1, timedOut: false };
      },
    },
    incidents: {
      list: ({ tenant, status, agentId, limit }) =>
        incidents
          .filter(
            (i) => i.tenant === tenant && (status ?? i.status) === i.status && (agentId ?? i.agentId) === i.agentId,
          )
          .slice(0, limit),
      get: (tenant, id) => incidents.find((i) => i.tenant === tenant && i.id === id),
    },
    journal: {
      acknowledge: async (ack) => void journal.acks.push(ack),
      verdict: async (verdict) => void journal.verdicts.push(verdict),
      order: async (order) => void journal.orders.push(order),
      activate: async (activation) => void journal.activations.push(activation),
    },
    sources: {
      report: (tenant) => door.report(tenant),
      topics: () => [],
      forged: (emitter, agentId) => door.forged(emitter, agentId),
    },
    content: new ContentDesk({
      reads: () => change.content,
      record: async (value) =>
        void (await (change.log?.(log) ?? log).append([encodeRecord({ type: 'content-read', value })])),
      clock: systemClock,
    }),
    erasures: change.erasures ?? {
      preview: () => Promise.resolve('away'),
      begin: () => Promise.resolve('away'),
      status: () => undefined,
    },
    detectors: { reload: async () => ({ status: 'unchanged', hash: 'h', detectors: 1 }) },
    discovery: change.discovery ?? { discover: async () => NOTHING_DISCOVERED },
    baselines: {
      features: async ({ tenant, agentId, version = 3 }) => {
        if (agentId === 'agent-away') return undefined;
        return baselines.filter((r) => r.tenant === tenant && r.agentId === agentId && r.version === version);
      },
      kept: (tenant, agentId) =>
        tenant === 'default' && agentId === 'agent-a' ? [{ version: 1, time: 5, sessionCount: 25, bytes: 9 }] : [],
      archived: async () => archived,
      restore: async (order) => {
        restores.push(order);
        return order.version === 1
          ? { ok: true, recorded: true }
          : { ok: false, cause: 'foreign', message: 'learned under another install secret', fix: 'put it back' };
      },
      rebuild: (order) => {
        rebuilds.push(order);
        return { ok: true, recorded: true };
      },
      rebuildStatus: () => (rebuilds.length === 0 ? undefined : rebuildStatuses.shift()),
    },
    lifts: {
      list: (tenant) => lifts.list(tenant),
      get: (tenant, id) => lifts.get(tenant, id),
      classes: ['support', 'default'],
    },
    responses: {
      explain: (tenant, id) => {
        const incident = incidents.find((one) => one.tenant === tenant && one.id === id);
        if (incident === undefined) return undefined;
        const about = responseCaseSchema.parse({ agentId: incident.agentId, severity: incident.severity });
        return { case: about, ladder: [{ rung: 'alert', outcome: 'tell', why: `severity ${incident.severity}` }] };
      },
    },
    agents: { knows: (_, agentId) => agentId.startsWith('agent-') },
    status: {
      status: () => ({ mode: 'observe' }),
      oversees: ({ tenant }) => tenant === 'default',
    },
    operations: {
      isAlive: () => true,
      readiness: () => ({ ready: true, draining: false, parts: { log: 'ok', scoring: 'ok', store: 'ok' } }),
      mayMeasure: ({ tenant }) => tenant === 'default',
      metrics: async () => ({ contentType: 'text/plain', text: 'parallax_ready 1\n' }),
      heartbeat: async () => undefined,
      ...change.operations,
    },
  };
  const keys = loadKeys(
    KEYS.map(({ id, role, change: k }) => ({
      id,
      role,
      tenant: 'default',
      streams: [],
      agents: ['*'],
      secretSha256: createHash('sha256').update(secretOf(id)).digest('hex'),
      ...k,
    })),
    {},
  );
  const api = createApi({
    ports,
    keys,
    limits,
    page: {
      pages: createConsole({
        ...ports,
        agents: new AgentView(100),
        thresholdNats: () => 5,
        classOf: () => undefined,
        health: () => ({ mode: 'observe', scoringBacklog: 0, storeBacklog: 0 }),
        keyHint: 'A key lies in admin.key.',
      }),
      sessionsFile: join(directory.path, 'page-sessions.json'),
    },
    onUnexpected: (error) => unexpected.push(error),
  });
  const server = await listen(api, { host: '127.0.0.1', port: 0 });
  return {
    url: server.url,
    server,
    api,
    log,
    intake,
    board,
    holds,
    lifts,
    incidents,
    baselines,
    archived,
    restores,
    rebuilds,
    rebuildStatuses,
    journal,
    checks,
    unexpected,
    logged: () => readAll(log),
    post: (path, body, options = {}) =>
      fetch(server.url + path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${secretOf(options.key ?? 'all')}`,
          'content-type': options.type ?? 'application/json',
          ...options.headers,
        },
        body:
          typeof body === 'string' || body instanceof Uint8Array
            ? new Uint8Array(Buffer.from(body))
            : JSON.stringify(body),
      }),
    get: (path, key = 'viewer') =>
      fetch(server.url + path, { headers: key === '' ? {} : { authorization: `Bearer ${secretOf(key)}` } }),
    close: async () => {
      // Nothing may go wrong unforeseen; tests that want it to take it out of the list.
      if (unexpected.length > 0) throw new Error('the API met an unforeseen error', { cause: unexpected[0] });
      await server.close(100);
      await log.close();
      await environment.close();
      directory.remove();
    },
  };
}

function readAll(log: Log): LogRecord[] {
  const records: LogRecord[] = [];
  for (let from = log.tail; from <= log.head;) {
    const entries = log.read(from, 10_000);
    for (const { type, data } of entries) {
      // The log holds what encodeRecord wrote.
      records.push({ type, value: JSON.parse(Buffer.from(data).toString('utf8')) });
    }
    from += entries.length;
  }
  return records;
}

/** A good record; tests change what they are about. */
export function prompt(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    time: 1_736_124_453_094,
    agentId: 'agent-a',
    sessionId: 's1',
    stream: 'reasoning',
    kind: 'prompt',
    text: 'pay the bill',
    ...change,
  };
}

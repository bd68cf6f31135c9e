import { readFileSync } from 'node:fs';
import type { Checker } from './api/port.js';
import { gatherFigures, type FigureSources } from './app-figures.js';
import type { RunningParts } from './app-views.js';
import { ConfigError, type Config } from './config.js';
import type { Clock } from './lib/clock.js';
import type { Principal } from './model/principal.js';
import { refuseHeartbeatUrl, type HeartbeatConfig } from './model/operations-settings.js';
import { AddressRules } from './respond/webhook/address-rules.js';
import { GuardedPost } from './respond/webhook/guarded-post.js';
import type { MessageSigner } from './signing/port.js';
import { HeartbeatSource } from './telemetry/heartbeat.js';
import { Metrics } from './telemetry/metrics.js';
import type { OperationsBoard } from './telemetry/port.js';
import { ScoringProgress } from './telemetry/scoring-progress.js';
import { ServiceHealth } from './telemetry/service-health.js';

/** Scoring that does not move for so long with work before it hangs, ms. Its longest turns take well under a second. */
const STALL_MS = 60_000;
/** A sign of life that is asked for may be so old, ms: ticks come every second. */
const FRESH_MS = 15_000;

export interface OperationsParts {
  parts: RunningParts;
  clock: Clock;
  /** Both are opened after scoring, and asked for when they are needed. */
  signer: () => MessageSigner;
  api: FigureSources['api'];
  /** More than one tenant uses the install. */
  isShared: boolean;
  onNotice: (level: 'info' | 'warn', message: string) => void;
}

/** What the systems that run and watch this process are told. */
export interface Operations {
  board: OperationsBoard;
  metrics: Metrics;
  health: ServiceHealth;
  /** Follows a round of ticks of processing time. */
  follow: (ticks: Promise<void>) => Promise<void>;
  /** The same checker, counted and timed. */
  measured: (checker: Checker) => Checker;
  stop: () => Promise<void>;
}

/**
 * Starts measuring, and pushing heartbeats where a receiver is set. Call it right after scoring was opened: effects that
 * leave before are not counted.
 *
 * @throws ConfigError
 */
export function startOperations(operated: OperationsParts): Operations {
  const { parts, clock, signer, api, isShared, onNotice } = operated;
  const { observer, config } = parts;
  const elapsedMs = () => performance.now();
  const progress = new ScoringProgress({ partitions: observer.hosted, clock, elapsedMs });
  const health = new ServiceHealth({
    progress,
    logUnansweredMs: () => observer.logUnansweredMs?.() ?? 0,
    store: () => storeState(parts),
    stallMs: STALL_MS,
  });
  const post = heartbeatPost(config);
  const heartbeat = new HeartbeatSource({
    progress,
    signer: { sign: (message) => signer().sign(message) },
    clock,
    freshMs: FRESH_MS,
    ...(post === undefined ? {} : { push: post.push }),
    onNotice,
  });
  const tenants = [...new Set(['default', ...config.keys.map(({ tenant }) => tenant)])];
  const readiness = () => health.readiness();
  const metrics = new Metrics({
    figures: () => gatherFigures({ parts, clock, progress, heartbeat, readiness, api, tenants }),
    classOf: (agentId) => observer.library.classOf(agentId),
    withProcess: true,
  });
  const known = tenants.flatMap((tenant) => observer.incidents.list({ tenant, limit: Number.POSITIVE_INFINITY }));
  metrics.knows(known.filter(({ status }) => status !== 'closed').map(({ id }) => id));
  heartbeat.start();
  return {
    board: {
      isAlive: () => health.isAlive(),
      readiness: () => health.readiness(),
      mayMeasure: ({ tenant }: Principal) => !isShared || tenant === 'default',
      metrics: () => metrics.expose(),
      heartbeat: () => heartbeat.current(),
    },
    metrics,
    health,
    follow: async (ticks) => {
      try {
        await ticks;
        progress.appended();
      } catch (error) {
        progress.refused();
        throw error;
      }
    },
    measured: (checker) => ({
      deadlineMs: checker.deadlineMs,
      check: async (request, principal) => {
        const begunMs = elapsedMs();
        const answer = await checker.check(request, principal);
        metrics.checked(answer.decision, (elapsedMs() - begunMs) / 1000);
        return answer;
      },
    }),
    stop: async () => {
      await heartbeat.stop();
      post?.close();
    },
  };
}

/** ClickHouse is away where it takes nothing from any partition. */
function storeState({ link, upkeeps }: RunningParts): 'ok' | 'away' {
  if (link.store === undefined) return 'away';
  const stores = [...upkeeps.values()].map(({ storing }) => storing.status());
  return stores.some((store) => 'failingSince' in store && store.failingSince !== undefined) ? 'away' : 'ok';
}

function heartbeatPost({ heartbeat }: Pick<Config, 'heartbeat'>) {
  if (heartbeat === undefined) return undefined;
  const { everyMs, timeoutMs, allowAddresses, caFile } = heartbeat;
  const target = new GuardedPost({
    url: heartbeatUrl(heartbeat),
    rules: new AddressRules(allowAddresses),
    timeoutMs,
    ca: caFile === undefined ? undefined : read(caFile, 'heartbeat.caFile'),
  });
  const push = {
    everyMs,
    post: (headers: Record<string, string>, body: string, signal: AbortSignal) => target.post(headers, body, signal),
  };
  return { push, close: () => target.close() };
}

function heartbeatUrl({ url, urlFile }: HeartbeatConfig): string {
  if (url !== undefined) return url;
  const text = read(urlFile ?? '', 'heartbeat.urlFile').trim();
  const refusal = refuseHeartbeatUrl(text);
  if (refusal !== undefined) throw new ConfigError(`heartbeat.urlFile ${urlFile ?? ''}: ${refusal}`);
  return text;
}

function read(file: string, where: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new ConfigError(`${where} ${file}: cannot be read; check the path and its permissions`);
  }
}

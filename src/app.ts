import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApi, createMetricsApi, type Api } from './api/create-api.js';
import { keepSequences, loadEmitterKeys, readSequences } from './api/emitter-keys.js';
import { listen } from './api/http-server.js';
import { loadKeys } from './api/keys.js';
import { SignedBatches } from './api/signed-batches.js';
import { startOperations, type Operations } from './app-operations.js';
import {
  baselineBoard,
  consoleSources,
  promisesOf,
  statusOf,
  tenantStatusOf,
  toldUpTo,
  type RunningParts,
} from './app-views.js';
import type { Config } from './config.js';
import { createConsole } from './console/console.js';
import { MEASURES } from './baseline/measures.js';
import { parseDetectors, readDetectorFiles } from './detect/loader.js';
import { DetectorReloader } from './detect/reloader.js';
import type { Clock } from './lib/clock.js';
import type { Principal } from './model/principal.js';
import type { OutboxEntry } from './model/effect.js';
import { openClusterObserver } from './cluster/cluster-observer.js';
import { openEmbeddedObserver, type Observer } from './observer.js';
import { PartitionUpkeep } from './partition-upkeep.js';
import { startTelling } from './telling.js';
import { startTopicIntake } from './topic-intake.js';
import { openSigning } from './signing/open-signing.js';
import { fromBinary } from './normalize/cloud-events.js';
import { valueHash } from './normalize/derive.js';
import { otlpReceiver } from './normalize/otlp/receiver.js';
import { ErasureDesk } from './store/erasure-desk.js';
import { ContentDesk } from './store/content-desk.js';
import { storePassword } from './store/password.js';
import { StoreLink } from './store/store-link.js';
import { openStore } from './store/store.js';
import { prepareKeys } from './api/first-keys.js';
import type { Logger } from './telemetry/logger.js';

/** How long an erasure waits for what is on its way into ClickHouse, ms. */
const ERASURE_STORED_MS = 60_000;
/** Processing time enters the log this often, ms. */
const TICK_MS = 1_000;
const MAINTENANCE_MS = 30_000;
/** Requests under way have so long to be answered when the service stops, ms. */
const FINISH_MS = 5_000;

export interface App {
  url: string;
  /** Of the address that needs no key, where one is set. */
  metricsUrl?: string;
  /** Resolves with the cause when the service cannot go on; never otherwise. */
  failed: Promise<unknown>;
  /** Reads the folder of the detectors now. */
  reloadDetectors: () => Promise<unknown>;
  /** Stops taking requests, finishes what was acknowledged, closes everything in reverse order. */
  close: () => Promise<void>;
  /**
   * The same for a process that others still send requests to: says first that it is stopping, and takes requests on for
   * `drain.lameDuckMs`; then turns new ones away and answers those under way before it closes.
   */
  drain: () => Promise<void>;
}

export interface AppOptions {
  config: Config;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  logger: Logger;
}

/** Builds the whole service. @throws ConfigError and whatever keeps a part from starting */
export async function startApp({ config, env, clock, logger }: AppOptions): Promise<App> {
  const closers: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) {
      await close().catch((error: unknown) => logger.error({ error: String(error) }, 'a part did not close cleanly'));
    }
  };
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  try {
    const keyConfigs = prepareKeys(config, (message) => logger.info(message));
    const keys = loadKeys(keyConfigs, env);
    const emitterKeys = loadEmitterKeys(keyConfigs);
    const isSharedInstall = new Set(keyConfigs.map(({ tenant }) => tenant)).size > 1;
    const oversees = ({ role, tenant }: Principal) => role === 'admin' && (!isSharedInstall || tenant === 'default');
    const link = new StoreLink({
      open: () =>
        openStore({
          ...config.clickhouse,
          password: storePassword(config.clickhouse, env),
          dataDir: config.dataDir,
          agentClasses: observer.library.classRows(config.detection.falseAlarmBudget),
          clock,
          onNotice: (level, message) => logger[level](message),
        }),
      clock,
      onNotice: (level, message) => logger[level](message),
    });
    closers.push(() => link.stop());
    // Effects are committed no sooner than this has run to where both are there.
    let operations: Operations | undefined;
    let api: Api | undefined;
    const base = {
      config,
      committed: (entries: readonly OutboxEntry[]) => operations?.metrics.took(entries),
      clock,
      notice: (message: string, facts: Record<string, unknown>) => logger.info(facts, message),
      failed: (error: unknown) => {
        // With its way there: whoever reads this has nothing else to go by.
        logger.fatal({ err: error }, 'scoring cannot go on');
        fail(error);
      },
    };
    const clustered = config.cluster === undefined ? undefined : await openClusterObserver({ ...base, env });
    const observer: Observer = clustered ?? openEmbeddedObserver(base);
    closers.push(observer.close);
    const parts: RunningParts = { observer, link, upkeeps: new Map(), telling: undefined, topics: undefined, config };
    operations = startOperations({
      parts,
      clock,
      signer: () => signing.signer,
      api: () => api?.counters,
      isShared: isSharedInstall,
      onNotice: (level, message) => logger[level](message),
    });
    const { board, health, measured } = operations;
    closers.push(operations.stop);
    const { keys: ownKeys, ...signing } = await openSigning({
      config,
      clock,
      startedAt: observer.startedAt,
      ...(clustered === undefined ? {} : { epochs: clustered.epochs }),
    });
    const signingKeys = (await clustered?.publishKeys(ownKeys)) ?? ownKeys;
    const reloader = new DetectorReloader({
      directory: observer.detectorsDir,
      hash: observer.detectorsHash(),
      read: readDetectorFiles,
      parse: (files) => parseDetectors(files, MEASURES),
      activate: observer.activateDetectors,
      clock,
      onNotice: (level, message, facts) => logger[level](facts, message),
    });
    reloader.start();
    closers.push(() => reloader.stop());
    observer.mappings.start();
    closers.push(async () => observer.mappings.stop());
    observer.onLeading((effects, startedAt) => {
      const telling = startTelling({ observer, effects, startedAt, config, env, clock, logger, signing });
      parts.telling = telling;
      return async () => {
        parts.telling = undefined;
        await telling.webhooks.stop();
        await telling.mail?.stop();
      };
    });
    link.start();
    observer.onHosted((hosted) => {
      const upkeep = new PartitionUpkeep(hosted, {
        observer,
        config,
        link,
        clock,
        notice: (message, facts) => logger.warn(facts, message),
      });
      parts.upkeeps.set(hosted, upkeep);
      return async (isHandedOver) => {
        await upkeep.stop(isHandedOver);
        parts.upkeeps.delete(hosted);
      };
    });
    const erasures = openErasures(parts, { clock, logger });
    closers.push(() => erasures.stop());
    const batches = new SignedBatches({
      emitters: emitterKeys,
      sequences: readSequences(config.dataDir),
      trouble: (principal, noted) => observer.door.note(principal, noted),
    });
    closers.push(startTimers({ parts, batches, logger, operations }));

    const topics = startTopicIntake({ config, keyConfigs, env, observer, clock, logger });
    closers.push(topics.stop);
    parts.topics = topics;

    api = createApi({
      keys,
      limits: config.http,
      page: {
        pages: createConsole(consoleSources(parts, clock)),
        sessionsFile: join(config.dataDir, 'page-sessions.json'),
        ...(config.http.publicUrl === undefined ? {} : { publicUrl: config.http.publicUrl }),
      },
      ports: {
        intake: observer.intake,
        mappings: observer.mappings,
        batches,
        cloudEvent: fromBinary,
        otlp: otlpReceiver(observer.otlp, {
          maxRecordBytes: config.http.maxRecordBytes,
          maxRecords: config.http.maxRecordsPerRequest,
        }),
        checker: measured(observer.checker),
        operations: board,
        incidents: observer.incidents,
        commands: observer.commands,
        holds: observer.holds,
        lifts: {
          list: (tenant) => observer.lifts.list(tenant),
          get: (tenant, id) => observer.lifts.get(tenant, id),
          classes: observer.library.classes,
        },
        responses: {
          explain: (tenant, incidentId) => {
            const agentId = observer.incidents.get(tenant, incidentId)?.agentId ?? '';
            return observer.partitionOf(tenant, agentId)?.scoring.explainResponse(tenant, incidentId);
          },
        },
        agents: {
          knows: (tenant, agentId) =>
            observer.agents.get(tenant, agentId) !== undefined ||
            (observer.partitionOf(tenant, agentId)?.baselines.agents(tenant).includes(agentId) ?? false),
        },
        discovery: { discover: observer.discover },
        baselines: baselineBoard(parts),
        journal: {
          acknowledge: (value) => observer.record({ type: 'ack', value }),
          verdict: (value) => observer.record({ type: 'verdict', value }),
          order: (value) => observer.record({ type: 'order', value }),
          activate: (value) => observer.record({ type: 'activation', value }),
        },
        detectors: reloader,
        sources: {
          report: (tenant) => observer.door.report(tenant),
          topics: (tenant) => parts.topics?.report(tenant) ?? [],
          forged: (emitter, agentId) => observer.door.forged(emitter, agentId),
        },
        content: new ContentDesk({
          reads: () => link.store?.queries.content,
          record: (value) => observer.record({ type: 'content-read', value }),
          clock,
        }),
        erasures,
        status: {
          status: (principal) => ({
            ...(oversees(principal)
              ? { ...statusOf(parts, reloader), signing: signing.signer.status() }
              : tenantStatusOf(parts, principal)),
            ...promisesOf(observer, principal.tenant),
          }),
          oversees,
        },
        signing: { ...signing, keys: signingKeys },
        ...(clustered === undefined ? {} : { owners: clustered.owners }),
        clock,
      },
      onUnexpected: (error, request) =>
        logger.error({ ...request, error: String(error) }, 'a request failed unexpectedly'),
    });
    const server = await listen(api, config.http);
    closers.push(() => server.close());
    const { metrics: keyless } = config.http;
    const metricsServer = keyless === undefined ? undefined : await listen(createMetricsApi(board), keyless);
    // Closed last: whoever watches sees that the process is stopping.
    if (metricsServer !== undefined) closers.unshift(() => metricsServer.close());
    const { finishWork } = api;
    return {
      url: server.url,
      ...(metricsServer === undefined ? {} : { metricsUrl: metricsServer.url }),
      failed,
      reloadDetectors: () => reloader.reload(),
      drain: async () => {
        health.drain();
        await sleep(config.drain.lameDuckMs);
        await finishWork(FINISH_MS);
        await closeAll();
      },
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface TimerParts {
  parts: RunningParts;
  batches: SignedBatches;
  logger: Logger;
  operations: Operations;
}

/** Ticks into the log, and lets go of what every reader has passed. */
function startTimers({ parts, batches, logger, operations }: TimerParts): () => Promise<void> {
  const { observer, config } = parts;
  const complain = (what: string) => (error: unknown) => logger.warn({ error: String(error) }, what);
  const tick = setInterval(() => {
    operations.follow(observer.tick()).catch(complain('a tick could not be written'));
    try {
      keepSequences(config.dataDir, batches);
    } catch (error) {
      complain('sequence numbers of emitters could not be kept')(error);
    }
    observer.watchSources().catch(complain('what is wrong with emitters could not be written'));
  }, TICK_MS);
  const maintenance = setInterval(() => {
    for (const upkeep of parts.upkeeps.values()) {
      upkeep.maintain(toldUpTo(parts, upkeep.hosted)).catch(complain('old records could not be dropped'));
    }
  }, MAINTENANCE_MS);
  return () => {
    clearInterval(tick);
    clearInterval(maintenance);
    keepSequences(config.dataDir, batches);
    return Promise.resolve();
  };
}

/** Erases what this process can reach: ClickHouse, and the baselines through the log. */
function openErasures(parts: RunningParts, { clock, logger }: { clock: Clock; logger: Logger }): ErasureDesk {
  const { observer, link, upkeeps } = parts;
  const { seed } = observer;
  return new ErasureDesk({
    client: () => link.store?.writer,
    record: (value) => observer.record({ type: 'erasure', value }),
    forget: (order) => observer.record({ type: 'activation', value: { ...order, what: 'forget', value: '' } }),
    settled: async () => {
      const stored = [...upkeeps.values()].map((upkeep) => upkeep.stored(ERASURE_STORED_MS));
      return (await Promise.all(stored)).every(Boolean);
    },
    hashOf: (value) => valueHash(value, seed),
    seed,
    clock,
    notice: (message, facts) => logger.warn(facts, message),
  });
}

import { join } from 'node:path';
import { createApi } from './api/create-api.js';
import { keepSequences, loadEmitterKeys, readSequences } from './api/emitter-keys.js';
import { listen } from './api/http-server.js';
import { loadKeys } from './api/keys.js';
import { SignedBatches } from './api/signed-batches.js';
import type { Config } from './config.js';
import { createConsole } from './console/console.js';
import type { ConsoleSources } from './console/port.js';
import { MEASURES } from './baseline/measures.js';
import { openCore, type Core } from './core.js';
import { parseDetectors, readDetectorFiles } from './detect/loader.js';
import { DetectorReloader } from './detect/reloader.js';
import type { Clock } from './lib/clock.js';
import { truncatablePosition } from './log/retention.js';
import { isInForce } from './model/command.js';
import type { Principal } from './model/principal.js';
import type { Notifier } from './notify/notifier.js';
import { startMail } from './notify/start-mail.js';
import { startWebhooks, type Webhooks } from './respond/webhook/start-webhooks.js';
import { openSigning } from './signing/open-signing.js';
import { BaselineDesk } from './scoring/baseline-desk.js';
import { fromBinary } from './normalize/cloud-events.js';
import { otlpReceiver } from './normalize/otlp/receiver.js';
import { ContentDesk } from './store/content-desk.js';
import { StoreLink } from './store/store-link.js';
import { openStore } from './store/store.js';
import { StoringReader } from './store/storing-reader.js';
import { keyHint, prepareKeys } from './api/first-keys.js';
import type { Logger } from './telemetry/logger.js';

/** Processing time enters the log this often, ms. */
const TICK_MS = 1_000;
const MAINTENANCE_MS = 30_000;
/** Records that every reader has passed are kept this long for replay and timelines, ms. */
const KEEP_LOG_MS = 7 * 24 * 60 * 60_000;
/** Outbox entries kept for subscribers that come back. */
const KEEP_OUTBOX = 20_000;
/** Time for what is committed to reach ClickHouse before closing, ms. */
const DRAIN_MS = 10_000;

export interface App {
  url: string;
  core: Core;
  /** Resolves with the cause when the service cannot go on; never otherwise. */
  failed: Promise<unknown>;
  /** Reads the folder of the detectors now. */
  reloadDetectors: () => Promise<unknown>;
  /** Stops taking requests, finishes what was acknowledged, closes everything in reverse order. */
  close: () => Promise<void>;
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
    const core = openCore({
      config,
      clock,
      notice: (message, facts) => logger.info(facts, message),
      failed: (error) => {
        // With its way there: whoever reads this has nothing else to go by.
        logger.fatal({ err: error }, 'scoring cannot go on');
        fail(error);
      },
    });
    closers.push(core.close);
    const signing = await openSigning({ config, clock, startedAt: core.commands.sequence });
    const reloader = new DetectorReloader({
      directory: core.detectorsDir,
      hash: core.detectors.hash,
      read: readDetectorFiles,
      parse: (files) => parseDetectors(files, MEASURES),
      activate: core.activateDetectors,
      clock,
      onNotice: (level, message, facts) => logger[level](facts, message),
    });
    reloader.start();
    closers.push(() => reloader.stop());
    core.mappings.start();
    closers.push(async () => core.mappings.stop());
    const mail = startMail({
      config: config.notify.mail,
      env,
      ...core,
      alertFrom: (agentId) => core.responder.settingsOf(agentId).policy.alert.severity,
      clock,
      onNotice: (level, message) => logger[level](message),
    });
    closers.push(async () => mail?.stop());
    const webhooks = startWebhooks({
      ...core,
      configs: config.deliver.webhooks,
      env,
      source: config.http.publicUrl ?? 'urn:parallax',
      startedAt: signing.startedAt,
      sign: ({ type, sequence, data }, audience) => signing.signer.sign({ kind: type, audience, sequence, body: data }),
      acknowledge: async (value) => void (await core.record({ type: 'ack', value })),
      clock,
      random: Math.random,
      onNotice: (level, message) => logger[level](message),
    });
    closers.push(webhooks.stop);

    const link = new StoreLink({
      open: () =>
        openStore({
          ...config.clickhouse,
          password: config.clickhouse.passwordEnv === undefined ? '' : (env[config.clickhouse.passwordEnv] ?? ''),
          dataDir: config.dataDir,
          clock,
          onNotice: (level, message) => logger[level](message),
        }),
      read: ({ writer }) => new StoringReader({ log: core.log, store: core.store, inserter: writer, clock }),
      clock,
      onNotice: (level, message) => logger[level](message),
    });
    link.start();
    closers.push(() => link.stop());
    closers.push(async () => {
      await core.settled();
      await link.drain({ log: core.log.head, outbox: core.store.outboxHead }, DRAIN_MS);
    });

    const desk = new BaselineDesk({
      core,
      config,
      store: () => link.store,
      clock,
      notice: (message, facts) => logger.warn(facts, message),
    });
    desk.start();
    closers.push(() => desk.stop());

    const batches = new SignedBatches({
      emitters: emitterKeys,
      sequences: readSequences(config.dataDir),
      trouble: (principal, noted) => core.door.note(principal, noted),
    });
    closers.push(startTimers({ core, link, mail, config, batches, clock, logger }));

    const api = createApi({
      keys,
      limits: config.http,
      page: {
        pages: createConsole(consoleSources({ core, link, mail, config }, clock)),
        sessionsFile: join(config.dataDir, 'page-sessions.json'),
        ...(config.http.publicUrl === undefined ? {} : { publicUrl: config.http.publicUrl }),
      },
      ports: {
        intake: core.intake,
        mappings: core.mappings,
        batches,
        cloudEvent: fromBinary,
        otlp: otlpReceiver(core.otlp, {
          maxRecordBytes: config.http.maxRecordBytes,
          maxRecords: config.http.maxRecordsPerRequest,
        }),
        checker: core.checker,
        incidents: core.incidents,
        commands: core.commands,
        holds: core.holds,
        lifts: {
          list: (tenant) => core.lifts.list(tenant),
          get: (tenant, id) => core.lifts.get(tenant, id),
          classes: core.library.classes,
        },
        responses: { explain: (tenant, incidentId) => core.scoring.explainResponse(tenant, incidentId) },
        agents: {
          knows: (tenant, agentId) =>
            core.agents.get(tenant, agentId) !== undefined || core.baselines.agents(tenant).includes(agentId),
        },
        discovery: { discover: core.discover },
        baselines: desk,
        journal: {
          acknowledge: async (value) => void (await core.record({ type: 'ack', value })),
          verdict: async (value) => void (await core.record({ type: 'verdict', value })),
          order: async (value) => void (await core.record({ type: 'order', value })),
          activate: async (value) => void (await core.record({ type: 'activation', value })),
        },
        detectors: reloader,
        sources: core.door,
        content: new ContentDesk({
          reads: () => link.store?.queries.content,
          record: async (value) => void (await core.record({ type: 'content-read', value })),
          clock,
        }),
        status: {
          status: (principal) => ({
            ...(oversees(principal)
              ? {
                  ...statusOf({ core, link, mail, webhooks, reloader, desk, config }),
                  signing: signing.signer.status(),
                }
              : tenantStatusOf(core, config, principal)),
            promise: core.baselines.promise(principal.tenant),
            falseAlarms: core.realisedRates(principal.tenant),
          }),
          oversees,
          ready: () => true,
        },
        signing,
        clock,
      },
      onUnexpected: (error, request) =>
        logger.error({ ...request, error: String(error) }, 'a request failed unexpectedly'),
    });
    const server = await listen(api, config.http);
    closers.push(() => server.close());
    return { url: server.url, core, failed, reloadDetectors: () => reloader.reload(), close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface RunningParts {
  core: Core;
  link: StoreLink;
  mail: Notifier | undefined;
  config: Config;
}

interface TimerParts extends RunningParts {
  batches: SignedBatches;
  clock: Clock;
  logger: Logger;
}

/** Ticks into the log, and lets go of what every reader has passed. */
function startTimers({ core, link, mail, config, batches, clock, logger }: TimerParts): () => Promise<void> {
  const complain = (what: string) => (error: unknown) => logger.warn({ error: String(error) }, what);
  const tick = setInterval(() => {
    core.record({ type: 'tick', value: { now: clock.now() } }).catch(complain('a tick could not be written'));
    try {
      keepSequences(config.dataDir, batches);
    } catch (error) {
      complain('sequence numbers of emitters could not be kept')(error);
    }
    core.watchSources().catch(complain('what is wrong with emitters could not be written'));
  }, TICK_MS);
  const maintain = async () => {
    const stored = link.stored();
    await core.log.truncateBefore(
      truncatablePosition({
        segments: core.log.segments(),
        storedBytes: core.log.storedBytes,
        nextPositions: [core.store.nextPosition, stored.log + 1],
        retention: { maxBytes: config.log.retainBytes, maxAgeMs: KEEP_LOG_MS },
        nowMs: clock.now(),
      }),
    );
    const read = Math.min(stored.outbox, mail?.cursor ?? stored.outbox);
    // What is newer than the checkpoint's state is read again at a restart.
    const surplus = Math.min(read, core.store.checkpointOutboxHead, core.store.outboxHead - KEEP_OUTBOX);
    if (surplus > 0) await core.store.trimOutbox(surplus);
  };
  const maintenance = setInterval(() => {
    maintain().catch(complain('old records could not be dropped'));
  }, MAINTENANCE_MS);
  return () => {
    clearInterval(tick);
    clearInterval(maintenance);
    keepSequences(config.dataDir, batches);
    return Promise.resolve();
  };
}

/** What the page shows. */
function consoleSources({ core, link, config }: RunningParts, clock: Clock): ConsoleSources {
  return {
    ...core,
    thresholdNats: (tenant, agentId) => core.baselines.threshold(tenant, agentId).nats,
    classOf: (_tenant, agentId) => core.library.classOf(agentId),
    health: () => {
      const store = link.status();
      const isOpen = 'logBacklog' in store;
      return {
        mode: config.mode,
        scoringBacklog: core.log.head - core.scoring.effectsPosition + 1,
        storeBacklog: isOpen ? store.logBacklog + store.outboxBacklog : undefined,
        ...(isOpen && store.failingSince !== undefined ? { storeFailingSince: store.failingSince } : {}),
      };
    },
    clock,
    keyHint: keyHint(config),
  };
}

/** What `/v1/status` shows: what came in, how far each reader is, what was lost to whom, what detectors do. */
function statusOf({
  core,
  link,
  mail,
  webhooks,
  reloader,
  desk,
  config,
}: RunningParts & { webhooks: Webhooks; reloader: DetectorReloader; desk: BaselineDesk }): Record<string, unknown> {
  const head = core.log.head;
  return {
    mode: config.mode,
    falseAlarmBudget: config.detection.falseAlarmBudget,
    log: { head, tail: core.log.tail, storedBytes: core.log.storedBytes },
    intake: core.intake.counters(),
    otlp: core.otlp.counters(),
    mappings: core.mappings.status(),
    scoring: {
      position: core.scoring.position - 1,
      // Scored, with all effects in the outbox; and with the state, from which a restart goes on.
      effects: core.scoring.effectsPosition - 1,
      checkpoint: core.store.nextPosition - 1,
      backlog: head - core.scoring.effectsPosition + 1,
      ...core.scoring.counters,
    },
    join: core.join.stats(),
    baselines: { ...core.baselines.stats(), archive: desk.archiveStatus() },
    entitlements: core.entitlements.stats(),
    incidents: { forgotten: core.incidents.evicted },
    fleet: { ...core.peers.stats(), ...core.blastNotices.stats() },
    commands: { ...core.responder.stats(), forgottenByView: core.commands.evicted },
    checks: core.checker.stats(),
    detectors: core.detectors.status(),
    detectorSet: { active: core.detectors.hash, ...reloader.status() },
    storing: link.status(),
    notify: { mail: mail?.status() ?? 'off' },
    webhooks: webhooks.status(),
    clickhouse: link.store?.embedded() ?? { url: config.clickhouse.url },
    memory: { residentBytes: process.memoryUsage.rss() },
  };
}

/** What somebody sees who does not oversee the install: nothing that other tenants' traffic or the host would show. */
function tenantStatusOf(core: Core, config: Config, { tenant }: Principal): Record<string, unknown> {
  const incidents = core.incidents.list({ tenant, limit: Number.POSITIVE_INFINITY });
  const commands = core.commands.list({ tenant, limit: Number.POSITIVE_INFINITY });
  return {
    mode: config.mode,
    falseAlarmBudget: config.detection.falseAlarmBudget,
    tenant,
    agents: core.baselines.agents(tenant).length,
    openIncidents: incidents.filter(({ status }) => status !== 'closed').length,
    commandsInForce: commands.filter(isInForce).length,
    proposals: commands.filter(({ state, dryRun }) => state === 'proposed' && !dryRun).length,
    scoring: { backlog: core.log.head - core.scoring.effectsPosition + 1 },
  };
}

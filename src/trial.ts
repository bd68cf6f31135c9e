import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type Config } from './config.js';
import { openCore, type Core, type CoreOptions } from './core.js';
import { timeOfStep, type CaseStep } from './detect/case-session.js';
import { FIRST_SESSION_MS, type CaseWorld } from './detect/cases.js';
import { libraryOfCase } from './governance/library-loader.js';
import { ManualClock, systemClock } from './lib/clock.js';
import type { LogRecord } from './model/log-record.js';
import type { Stream } from './model/observation.js';
import type { CaseLibrary } from './model/profile.js';
import type { Principal } from './model/principal.js';
import type { Signal } from './model/signal.js';
import type { IntakeReport, WireObservation } from './model/wire.js';

export const TRIAL_TENANT = 'default';
/** Far enough for every window and session to end, ms. */
const LONG_AFTER_MS = 24 * 60 * 60_000;

/** One emitter per stream, as in a real install: independence of the evidence is part of what is tried. */
const SPEAKERS: Record<Stream, Principal> = {
  reasoning: speaker('agent-runtime', 'ingest', 'reasoning'),
  action: speaker('gateway', 'gateway', 'action'),
  governance: speaker('governance', 'ingest', 'governance'),
  metric: speaker('platform', 'ingest', 'metric'),
};

/** A core in a temporary directory, fed without HTTP: the same intake, log and scoring as the service. */
export interface Trial {
  core: Core;
  /** Hands one emitter's records to intake; resolves when they are in the log. */
  feed: (records: readonly WireObservation[]) => Promise<IntakeReport>;
  activate: (what: 'learning' | 'calibrate', value: string) => Promise<void>;
  /** Lets processing time pass until `timeMs` (epoch ms), unless it has come already. */
  passTo: (timeMs: number) => void;
  /** Lets processing time pass until every open session and window has ended, and waits until that is scored. */
  endSessions: () => Promise<void>;
  close: () => Promise<void>;
}

export interface TrialOptions extends Partial<
  Pick<CoreOptions, 'scored' | 'windowScored' | 'sessionScored' | 'committed' | 'notice' | 'library'>
> {
  /** Settings over the defaults; the data directory is the trial's own. */
  config?: Config;
  /** Epoch ms of processing time at the start; the present when left out. */
  startMs?: number;
}

export function openTrial(options: TrialOptions = {}): Trial {
  const dataDir = mkdtempSync(join(tmpdir(), 'parallax-trial-'));
  const config = { ...(options.config ?? loadConfig(undefined, {})), dataDir };
  const clock = new ManualClock(options.startMs ?? systemClock.now());
  let failure: unknown;
  const core = openCore({
    config,
    clock,
    isTemporary: true,
    notice: options.notice ?? (() => {}),
    failed: (error) => {
      failure = error;
    },
    ...(options.scored === undefined ? {} : { scored: options.scored }),
    ...(options.windowScored === undefined ? {} : { windowScored: options.windowScored }),
    ...(options.sessionScored === undefined ? {} : { sessionScored: options.sessionScored }),
    ...(options.committed === undefined ? {} : { committed: options.committed }),
    ...(options.library === undefined ? {} : { library: options.library }),
  });
  const settled = async () => {
    while (core.scoring.effectsPosition <= core.log.head) {
      if (failure !== undefined) throw failure;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return {
    core,
    feed: (records) => {
      const stream = records[0]?.stream ?? 'action';
      return core.intake.accept(
        records.map((value, index) => ({ index, value, bytes: 0 })),
        [],
        SPEAKERS[stream],
      );
    },
    activate: async (what, value) => {
      await core.record({ type: 'activation', value: { time: clock.now(), tenant: TRIAL_TENANT, what, value } });
      await settled();
    },
    passTo: (timeMs) => clock.advance(Math.max(0, timeMs - clock.now())),
    endSessions: async () => {
      clock.advance(LONG_AFTER_MS);
      await core.record({ type: 'tick', value: { now: clock.now() } });
      await settled();
    },
    close: async () => {
      await core.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A fresh world for one case of a detector. */
export async function openCaseWorld(config: Config, library?: CaseLibrary): Promise<CaseWorld> {
  let raised: Signal[] = [];
  const trial = openTrial({
    config,
    startMs: FIRST_SESSION_MS,
    ...(library === undefined ? {} : { library: libraryOfCase(library) }),
    scored: ({ signals }) => raised.push(...signals),
    windowScored: (_window, signals) => raised.push(...signals),
    sessionScored: (_finished, signals) => raised.push(...signals),
  });
  const log = async (step: CaseStep): Promise<void> => {
    trial.passTo(timeOfStep(step));
    if ('record' in step) {
      const { refused } = await trial.feed([step.record]);
      const [first] = refused;
      if (first !== undefined) throw new Error(`${first.field}: ${first.reason}`);
    } else if ('order' in step) {
      await trial.core.record(...orderRecords(step));
    } else {
      const { records } = trial.core.intake.prepareAttempt(step.check, SPEAKERS.action);
      await trial.core.log.append(records);
    }
  };
  const take = async (step: CaseStep): Promise<void> => {
    await log(step);
    await trial.core.settled();
  };
  const collect = async (work: Promise<void>): Promise<Signal[]> => {
    raised = [];
    await work;
    return raised;
  };
  let learning = 'on';
  const learn = async (mode: 'on' | 'vouched'): Promise<void> => {
    if (mode !== learning) await trial.activate('learning', mode);
    learning = mode;
  };
  return {
    learn: async (session, isWatched) => {
      // All cases start cold, and what they learn from is clean by definition.
      await learn(isWatched ? 'on' : 'vouched');
      // All at once: they share commits, and the log keeps their order.
      await Promise.all(session.map(log));
      await trial.endSessions();
    },
    play: async (step) => {
      await learn('on');
      return collect(take(step));
    },
    finish: () => collect(trial.endSessions()),
    close: () => trial.close(),
  };
}

/** A person's order, and the gateway's confirmation of it. */
function orderRecords({ order, confirmed }: Extract<CaseStep, { order: unknown }>): LogRecord[] {
  const { time, commandId = '' } = order;
  const records: LogRecord[] = [{ type: 'order', value: { ...order, tenant: TRIAL_TENANT } }];
  const gatewayId = SPEAKERS.action.id;
  const value = { time, tenant: TRIAL_TENANT, commandId, gatewayId, effective: 'enforced' as const };
  if (confirmed) records.push({ type: 'ack', value });
  return records;
}

function speaker(id: string, role: Principal['role'], stream: Stream): Principal {
  return { id, role, tenant: TRIAL_TENANT, streams: new Set([stream]), agents: ['*'] };
}

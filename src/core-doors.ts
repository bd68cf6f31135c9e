import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from './config.js';
import type { Clock } from './lib/clock.js';
import { contentPath } from './lib/package-root.js';
import type { Log } from './log/port.js';
import { encodeRecord } from './log/record-codec.js';
import { cloudEventNormalizer } from './normalize/cloud-events.js';
import { Door } from './normalize/door.js';
import { workNormalizer } from './normalize/genai/work-normalizer.js';
import { LoggingIntake } from './normalize/intake.js';
import { litellmNormalizer } from './normalize/litellm.js';
import { MappingFolder } from './normalize/mapping/mapping-folder.js';
import { nativeNormalizer } from './normalize/native.js';
import { OtlpIntake } from './normalize/otlp/otlp-intake.js';
import { Checker } from './respond/checker.js';

/** Where records and questions come in: everything before the log. */
export interface Doors {
  intake: LoggingIntake;
  otlp: OtlpIntake;
  /** What is known of emitters. */
  door: Door;
  /** Looks for emitters that fell silent, and puts what is wrong with emitters into the log. */
  watchSources: () => Promise<void>;
  /** Declarative mappings; they are watched when started. */
  mappings: MappingFolder;
  checker: Checker;
}

export function openDoors({
  config,
  clock,
  notice,
  log,
  seed,
}: {
  config: Config;
  clock: Clock;
  notice: (message: string, facts: Record<string, unknown>) => void;
  log: Pick<Log, 'append'>;
  /** Per-install secret, 32 bit: keys every hash that is derived from content. */
  seed: number;
}): Doors {
  const door = new Door(
    config.keys.filter(({ role }) => role === 'ingest' || role === 'gateway'),
    clock,
    config.quotas,
  );
  const mappings = new MappingFolder({ directory: contentPath(config.sources.mappingsDir), notice });
  const intake = new LoggingIntake({
    log,
    clock,
    door,
    normalizers: [nativeNormalizer, workNormalizer, cloudEventNormalizer, litellmNormalizer],
    moreNormalizers: (format) => mappings.normalizer(format),
    seed,
    maxPendingBytes: config.http.maxPendingBytes,
  });
  const otlp = new OtlpIntake({
    intake,
    ...config.otlp,
    sleep: (ms) => sleep(ms),
    placed: (principal, by) => door.placed(principal, by),
  });
  const checker = new Checker({
    mode: config.mode,
    ...config.check,
    submit: (request, principal) => {
      const { observation, records } = intake.prepareAttempt(request, principal);
      return { observation, logged: log.append(records) };
    },
  });
  const watchSources = async (): Promise<void> => {
    door.listen();
    const troubles = door.troubles();
    if (troubles.length === 0) return;
    await log.append(troubles.map((value) => encodeRecord({ type: 'source-trouble', value })));
  };
  return { intake, otlp, door, watchSources, mappings, checker };
}

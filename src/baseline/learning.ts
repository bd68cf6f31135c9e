import { z } from 'zod';
import { readCheckedYaml } from '../lib/checked-yaml.js';

const DAY_MS = 24 * 60 * 60_000;

/** A whole number of things, at least one. */
const count = (fallback: number, most = 1_000_000) => z.number().int().min(1).max(most).default(fallback);
const share = (fallback: number) => z.number().positive().max(10).default(fallback);

/**
 * How baselines learn: `baselines/learning.yaml`. What each setting means is said there, beside its value; an empty
 * file gives these defaults.
 */
const learningSchema = z.strictObject({
  warmUp: z
    .strictObject({
      sessions: count(10),
      calibrationSessions: count(20),
      calibrationRequests: count(10),
    })
    .prefault({}),
  callRate: z
    .strictObject({
      windows: count(256, 4_096),
      referenceWindows: count(256, 4_096),
      aboveReference: share(0.25),
      followPerDay: z.number().min(0).max(1).default(0.002),
      leastSpread: share(1),
      seasonWeeks: count(3, 52),
      seasonWindows: count(30, 1_000),
    })
    .prefault({}),
  sessions: z.strictObject({ recent: count(48, 512), leastSpread: share(0.25) }).prefault({}),
  drift: z
    .strictObject({
      burnInSessions: count(10),
      referenceSessions: z.number().int().min(16).max(512).default(48),
      referenceDays: z.number().min(0).max(365).default(7),
      falseAlarmEvery: z.number().int().min(100).max(10_000_000).default(10_000),
      tolerance: z.number().min(0).max(3).default(0.2),
      shareTolerance: z.number().min(0).max(1).default(0.05),
      followPerSession: z.number().min(0).max(1).default(0.002),
      followPerDay: z.number().min(0).max(1).default(0.002),
    })
    .prefault({}),
  history: z.strictObject({ perAgent: count(512), perTenant: count(4_096) }).prefault({}),
  calibration: z
    .strictObject({ sessions: count(1_500, 100_000), growth: share(0.25), laterGrowth: share(0.5) })
    .prefault({}),
  caps: z
    .strictObject({ agentCounts: count(16_384), peerCounts: count(65_536), requests: count(1_024, 65_536) })
    .prefault({}),
  quarantine: z
    .strictObject({
      days: z.number().positive().max(3_650).default(14),
      incidents: count(4_096),
      sessionsPerIncident: count(16, 1_024),
    })
    .prefault({}),
  publish: z.strictObject({ everySessions: count(25) }).prefault({}),
});

export type Learning = z.infer<typeof learningSchema>;

export const DEFAULT_LEARNING: Learning = learningSchema.parse({});

/** Flagged sessions that nobody judged for this long are dropped, and learning goes on without them; ms. */
export function quarantineMs({ quarantine }: Learning): number {
  return quarantine.days * DAY_MS;
}

/** A `learning.yaml` that cannot be used; one line per problem: file, line, field, fix. */
export class LearningError extends Error {
  override name = 'LearningError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** @param file usually `baselines/learning.yaml`; where it is not there the defaults hold @throws LearningError */
export function loadLearning(file: string): Learning {
  const problems: string[] = [];
  const loaded = readCheckedYaml(file, { schema: learningSchema, fieldsIn: 'docs/reference-library.md', problems });
  if (problems.length > 0) throw new LearningError(problems);
  return loaded ?? DEFAULT_LEARNING;
}

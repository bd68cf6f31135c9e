import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Observation } from '../../src/model/observation.js';
import type { Principal } from '../../src/model/principal.js';
import { nativeNormalizer } from '../../src/normalize/native.js';
import { parseRecordedEvent } from '../../src/sources/recorded-event.js';
import { SPEAKERS, toStep, type RecordedStep } from '../../src/sources/recorded-session.js';

export const RECORDED_SETS = ['agentdojo', 'agentdyn', 'taubench'] as const;
export type RecordedSet = (typeof RECORDED_SETS)[number];

/** One recorded session as scoring sees it: through the product's own normaliser. */
export interface RecordedSession {
  set: RecordedSet;
  agentId: string;
  sessionId: string;
  observations: Observation[];
  /** Tools it was provisioned with. */
  tools: string[];
}

const TENANT = 'recorded';

/** The sessions of one file (`train`, `dev`), in the file's order, each in its own order of events. */
export function recordedSessions(data: string, set: RecordedSet, split: string, seed: number): RecordedSession[] {
  const file = join(data, set, `${split}.jsonl.gz`);
  const lines = gunzipSync(readFileSync(file)).toString('utf8').split('\n');
  const sessions = new Map<string, RecordedSession>();
  for (const [i, line] of lines.entries()) {
    if (line === '') continue;
    const event = parseRecordedEvent(line, `${file}:${i + 1}`);
    const { agentId, sessionId } = event;
    const session = sessions.get(sessionId) ?? { set, agentId, sessionId, observations: [], tools: [] };
    sessions.set(sessionId, session);
    if (event.type === 'session.start') session.tools = event.tools;
    session.observations.push(...observationsOf(toStep(event), seed));
  }
  return [...sessions.values()];
}

function observationsOf(step: RecordedStep, seed: number): Observation[] {
  const { role, stream } = SPEAKERS[step.speaker];
  const principal: Principal = { id: step.speaker, role, tenant: TENANT, streams: new Set([stream]), agents: ['*'] };
  return step.observations.flatMap((record) =>
    nativeNormalizer.normalize(record, { principal, observedAt: step.timeMs, seed }).flatMap((result) => {
      if (!result.ok) throw new Error(`${result.field}: ${result.reason}`);
      return [result.observation];
    }),
  );
}

import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Principal } from '../../src/model/principal.js';
import type { WireObservation } from '../../src/model/wire.js';
import { otlpReceiver } from '../../src/normalize/otlp/receiver.js';
import { RecordedContent } from '../../src/sources/recorded-content.js';
import { readRecordedSteps, SPEAKERS } from '../../src/sources/recorded-session.js';
import { openTrial, TRIAL_TENANT, type Trial } from '../../src/trial.js';
import { RecordedSpans } from '../support/emitters/recorded-spans.js';
import { recordedData, recordedDataMissing } from '../support/recorded.js';

const START = Date.parse('2025-01-06T00:00:00Z');
const LIMITS = { maxRecordBytes: 4 * 1024 * 1024, maxRecords: 1_000 };
/** Of the sessions, so that the test takes seconds. */
const [TRAIN_PART, EVENTS_PART] = [3, 8];

/** What one emitter said at one moment: a call with its result, or anything else. */
type Step = [WireObservation, WireObservation?];

/** Takes one step of a session in. */
type Way = (step: Step) => Promise<void>;

/**
 * What spans can say. They have no word for the effect of a call, for the targets that the recording's emitter worked
 * out and their origins, for the class of a result, or for the order of a session: without these, the observer derives
 * them itself, from arguments and results. Both ways are given the same, so what differs is the way.
 */
function sayable(observation: WireObservation): WireObservation {
  const { seq: _seq, ...rest } = observation;
  if (rest.kind === 'tool_result') {
    const { resultClass: _class, ...result } = rest;
    return result;
  }
  if (rest.kind !== 'tool_call') return rest;
  const { effect: _effect, targets: _targets, resultClass: _class, reason: _reason, ...call } = rest;
  return call;
}

async function stepsOf(split: string, part: number): Promise<Step[]> {
  const folder = join(recordedData ?? '', 'agentdojo');
  const content = split === 'dev' ? await RecordedContent.read([join(folder, 'dev.content.jsonl.gz')]) : undefined;
  const sessions = new Map<string, number>();
  const steps: Step[] = [];
  for await (const { event, observations } of readRecordedSteps(join(folder, `${split}.jsonl.gz`), content)) {
    const nth = sessions.get(event.sessionId) ?? sessions.size;
    sessions.set(event.sessionId, nth);
    const [first, result] = observations.map(sayable);
    if (nth % part !== 0 || first === undefined) continue;
    steps.push(result === undefined ? [first] : [first, result]);
  }
  return steps;
}

function natively(trial: Trial): Way {
  return async (step) => {
    const { refused } = await trial.feed(step.flatMap((one) => one ?? []));
    expect(refused).toEqual([]);
  };
}

/** As spans where there are any: what governance and the platform say, and calls that did not run, stays as it is. */
function bySpans(trial: Trial): Way {
  const receiver = otlpReceiver(trial.core.otlp, LIMITS);
  const sessions = new Map<string, RecordedSpans>();
  const native = natively(trial);
  return async (step) => {
    const [observation, result] = step;
    const session = sessions.get(observation.sessionId ?? '') ?? new RecordedSpans();
    sessions.set(observation.sessionId ?? '', session);
    const exported = session.exportOf(observation, result);
    if (exported === undefined) {
      if (observation.kind !== 'prompt') await native(step);
      return;
    }
    const { speaker, body } = exported;
    const { role, stream } = SPEAKERS[speaker];
    const key: Principal = { id: speaker, role, tenant: TRIAL_TENANT, streams: new Set([stream]), agents: ['*'] };
    const answer = await receiver.receive({ signal: 'traces', encoding: 'json', body: Buffer.from(body) }, key);
    expect(Buffer.from(answer).toString()).toBe('{}');
  };
}

/** Learns from clean sessions, calibrates, then scores others. @returns the incidents, as far as they can be the same */
async function incidentsBy(way: (trial: Trial) => Way, train: readonly Step[], events: readonly Step[]) {
  const trial = openTrial({ startMs: START });
  const take = way(trial);
  const play = async (steps: readonly Step[]) => {
    // Handed over in order; many wait for the same commit.
    for (let at = 0; at < steps.length; at += 256) {
      // oxlint-disable-next-line no-await-in-loop -- one batch after the other
      await Promise.all(steps.slice(at, at + 256).map(take));
    }
    await trial.endSessions();
  };
  await trial.activate('learning', 'vouched');
  await play(train);
  await trial.activate('calibrate', '');
  await trial.activate('learning', 'frozen');
  await play(events);
  const incidents = trial.core.incidents.list({ tenant: TRIAL_TENANT, limit: 10_000 });
  await trial.close();
  return new Map(
    incidents.map(({ agentId, sessionId, severity, riskNats }): [string, string] => [
      `${agentId} ${sessionId ?? ''}`,
      `${severity} ${riskNats.toFixed(6)}`,
    ]),
  );
}

it('gives the same incidents by spans and natively', { timeout: 300_000 }, async (context) => {
  if (recordedData === undefined) context.skip(recordedDataMissing);
  const [train, events] = [await stepsOf('train', TRAIN_PART), await stepsOf('dev', EVENTS_PART)];
  const native = await incidentsBy(natively, train, events);
  const spans = await incidentsBy(bySpans, train, events);
  console.log(
    `${train.length} and ${events.length} records, ${native.size} incidents natively, ${spans.size} by spans`,
  );
  expect(native.size).toBeGreaterThan(5);
  expect(Object.fromEntries(spans)).toEqual(Object.fromEntries(native));
});

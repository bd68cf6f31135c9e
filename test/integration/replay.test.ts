import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readOutcomes } from '../../src/gateway/reference/tools.js';
import type { CheckAnswer, CheckRequest } from '../../src/model/wire.js';
import { writeOutcomes } from '../../src/sources/outcomes-file.js';
import { RecordedContent } from '../../src/sources/recorded-content.js';
import { readRecordedSteps } from '../../src/sources/recorded-session.js';
import { replay, type ReplayOptions } from '../../src/sources/replay.js';
import { replayTable } from '../../src/sources/report.js';
import { FakeObserver, sse } from '../support/fake-observer.js';
import { CALLER_KEY, startGateway, type GatewayStack } from '../support/gateway-stack.js';
import { recordedData, recordedDataMissing } from '../support/recorded.js';
import { recordedLines, recordedSession } from '../support/recorded-lines.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { revoked } from '../unit/gateway/kit.js';

const START = Date.parse('2025-02-03T00:00:00Z');
const KEYS = {
  agentRuntime: 'runtime-key',
  governance: 'governance-key',
  platform: 'platform-key',
  caller: CALLER_KEY,
};

describe('replay', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let observer: FakeObserver;
  let stack: GatewayStack | undefined;
  let decide: (request: CheckRequest) => Partial<CheckAnswer> = () => ({});
  let onRecords: (records: Record<string, unknown>[]) => void = () => {};
  let incidents: () => unknown[] = () => [];

  beforeEach(async () => {
    directory = temporaryDirectory();
    decide = () => ({});
    onRecords = () => {};
    incidents = () => [];
    observer = await new FakeObserver({
      decide: (request) => decide(request),
      onRecords: (records) => onRecords(records),
      incidents: () => incidents(),
    }).start();
  });
  afterEach(async () => {
    await stack?.stop();
    stack = undefined;
    await observer.stop();
    directory.remove();
  });

  function write(name: string, text: string): string {
    const file = join(directory.path, name);
    writeFileSync(file, text);
    return file;
  }

  async function play(
    files: string[],
    options: Partial<ReplayOptions> & { contentFiles?: string[] } = {},
  ): ReturnType<typeof replay> {
    const { contentFiles = [], enforce = 'hold', ...rest } = options;
    const outcomesFile = join(directory.path, 'outcomes.jsonl');
    await writeOutcomes(files, await RecordedContent.read(contentFiles), outcomesFile);
    stack = await startGateway(observer.url, await readOutcomes(outcomesFile), { enforce });
    return replay({
      observerUrl: observer.url,
      gatewayUrl: stack.url,
      keys: KEYS,
      files,
      enforce,
      speed: 'max',
      ...rest,
    });
  }

  const two = () => [
    recordedSession('good', { startMs: START }),
    recordedSession('bad', { startMs: START + 50, iban: 'EVIL' }),
  ];
  const labels = () =>
    write(
      'labels.json',
      JSON.stringify({
        good: { label: 'benign', kind: 'user_task', harmSeq: null },
        bad: { label: 'hijacked', kind: 'user_task', harmSeq: 4 },
      }),
    );

  it('plays everything in order, each stream under its own key', async () => {
    const report = await play([write('events.jsonl', recordedLines(two()))]);
    expect(report).toMatchObject({ sessions: 2, events: 14, calls: 4, callsExecuted: 4, recordsRefused: 0 });
    expect(observer.refused).toEqual([]);
    for (const sessionId of ['good', 'bad']) {
      const own = observer.records().filter((r) => r['sessionId'] === sessionId);
      expect(own.map((r) => r['seq'])).toEqual([0, 1, 2, 3, 4, 5, 6]);
    }
    const times = observer.records().map((r) => Number(r['time']));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const keyOf = new Map(observer.received.map(({ key, record }) => [record['stream'], key]));
    expect(Object.fromEntries(keyOf)).toEqual({
      governance: 'governance-key',
      reasoning: 'runtime-key',
      action: 'gateway-key',
      metric: 'platform-key',
    });
  });

  it('makes a call only after everything before it is acknowledged', async () => {
    decide = ({ sessionId }) => {
      const before = observer.records().filter((r) => r['sessionId'] === sessionId);
      expect(before.map((r) => r['seq'])).toEqual([0, 1, 2, 3]);
      return {};
    };
    observer.faults.observations.push({ status: 503 }, { delayMs: 50 }, { status: 429 });
    const report = await play([write('events.jsonl', recordedLines(two()))]);
    expect(report.latency).toMatchObject({ count: 2, unanswered: 0 });
  });

  it('stops a session whose call is held, and counts the harmful call as blocked', async () => {
    decide = ({ args }) =>
      args?.['iban'] === 'EVIL' ? { decision: 'hold', wouldBe: 'hold', incidentId: 'inc-1' } : {};
    const report = await play([write('events.jsonl', recordedLines(two()))], { labelsFiles: [labels()] });
    expect(report).toMatchObject({ events: 12, calls: 4, callsExecuted: 3 });
    expect(report.hijacked).toMatchObject({ sessions: 1, harmBlocked: 1, harmExecuted: 0, stoppedEarlier: 0 });
    expect(report.groups).toMatchObject([
      { group: 'hijacked', sessions: 1, alarmed: 1, stopped: 1, how: { held: 1 }, incidentIds: ['inc-1'] },
      { group: 'benign', sessions: 1, alarmed: 0, stopped: 0 },
    ]);
    const bad = observer.records().filter((r) => r['sessionId'] === 'bad');
    expect(bad.map((r) => r['seq'])).toEqual([0, 1, 2, 3, 4]);
    expect(bad.at(-1)).toMatchObject({ kind: 'tool_call', decision: 'timeout', rawDecision: 'hold' });
    const table = replayTable(report);
    expect(table).toMatch(/harmful call blocked before execution\s+1\s+100\.0 %/);
    expect(table).toMatch(/check, as the gateway saw it: 2 asked/);
  });

  it('reports a disturbed benign session, a session stopped earlier, and harm that was only noticed', async () => {
    const sessions = [
      ...two(),
      recordedSession('early', { startMs: START + 100, iban: 'EVIL' }),
      recordedSession('direct', { startMs: START + 150 }),
    ];
    const labelled = write(
      'labels.json',
      JSON.stringify({
        good: { label: 'benign', kind: 'user_task' },
        bad: { label: 'hijacked', kind: 'user_task', harmSeq: 4 },
        early: { label: 'hijacked', kind: 'user_task', harmSeq: 5 },
        direct: { label: 'benign', kind: 'direct_goal' },
      }),
    );
    decide = ({ sessionId }) =>
      sessionId === 'bad' ? {} : { decision: 'deny', wouldBe: 'deny', incidentId: `inc-${sessionId}` };
    incidents = () => [
      { id: 'inc-late', sessionId: 'bad' },
      { id: 'inc-else', sessionId: 'of somebody else' },
    ];
    const file = write('events.jsonl', recordedLines(sessions));
    const report = await play([file], { labelsFiles: [labelled], keys: { ...KEYS, viewer: 'viewer-key' } });
    expect(report.hijacked).toMatchObject({
      sessions: 2,
      harmBlocked: 0,
      stoppedEarlier: 1,
      harmExecuted: 1,
      alarmedAnyway: 1,
    });
    expect(report.groups).toMatchObject([
      { group: 'hijacked', sessions: 2, alarmed: 2, stopped: 1 },
      { group: 'benign, direct goal', sessions: 1, stopped: 1, how: { denied: 1 }, incidentIds: ['inc-direct'] },
      { group: 'benign', sessions: 1, stopped: 1, how: { denied: 1 }, incidentIds: ['inc-good'] },
    ]);
  });

  it('with `subscribe`, stops a session by the command that its own call caused', async () => {
    onRecords = (records) => {
      const hit = records.some((r) => r['kind'] === 'prompt' && r['sessionId'] === 'bad');
      if (hit) observer.write(sse('restriction', { ...revoked(1, 'bad'), agentId: 'agent-bank' }, 1));
    };
    decide = () => ({ decision: 'deny', wouldBe: 'deny' });
    // The command needs its way: the replay waits a moment before every event.
    const report = await play([write('events.jsonl', recordedLines(two()))], {
      enforce: 'subscribe',
      labelsFiles: [labels()],
      speed: 1,
      elapsedMs: () => 0,
      sleep: () => new Promise((resolve) => setTimeout(resolve, 50)),
    });
    expect(observer.checks).toHaveLength(0);
    expect(report.latency.count).toBe(0);
    expect(report.hijacked).toMatchObject({ sessions: 1, harmExecuted: 0, stoppedEarlier: 1 });
    expect(report.groups[0]).toMatchObject({ how: { revoked: 1 } });
    expect(observer.acknowledgements).toMatchObject([{ commandId: 'cmd-bad', body: { effective: 'enforced' } }]);
  });

  it('goes on after a call that the recorded policy refused', async () => {
    const [session] = two();
    const events = (session ?? []).map((e) =>
      e.type === 'tool_call' && e.callId === 'c2' ? { ...e, decision: 'deny' as const, reason: 'policy_args' } : e,
    );
    const report = await play([write('events.jsonl', recordedLines([events]))]);
    expect(report).toMatchObject({ events: 7, calls: 2, callsExecuted: 1 });
    expect(report.groups).toMatchObject([{ group: 'unlabelled', stopped: 0 }]);
    expect(observer.records('tool_call').at(-1)).toMatchObject({ decision: 'deny', reason: 'policy_args' });
    expect(observer.checks).toHaveLength(0);
  });

  it('keeps the recorded pace', async () => {
    let nowMs = 0;
    const waits: number[] = [];
    const sleep = async (ms: number): Promise<void> => {
      waits.push(ms);
      nowMs += ms;
    };
    const file = write('events.jsonl', recordedLines([recordedSession('s', { startMs: START })]));
    await play([file], { speed: 10, sleep, elapsedMs: () => nowMs });
    expect(waits).toEqual([10, 10, 10, 10, 10, 10]);
  });

  it('says which side does not answer', async () => {
    const file = write('events.jsonl', recordedLines([recordedSession('s', { startMs: START })]));
    const gone = {
      observerUrl: observer.url,
      gatewayUrl: 'http://127.0.0.1:1',
      keys: KEYS,
      enforce: 'hold',
      speed: 'max',
    } as const;
    await expect(replay({ ...gone, files: [file] })).rejects.toThrow(
      'the gateway at http://127.0.0.1:1 does not answer',
    );
    const sleep = async (): Promise<void> => {};
    const without = { ...gone, observerUrl: 'http://127.0.0.1:1', sleep };
    await expect(replay({ ...without, files: [file] })).rejects.toThrow('http://127.0.0.1:1/v1/observations');
  });

  it('replays recorded sessions of real agents, with content, where they are present', async (context) => {
    if (recordedData === undefined) {
      context.skip(recordedDataMissing);
      return;
    }
    const file = join(recordedData, 'agentdyn', 'dev.jsonl.gz');
    const sessions = new Set<string>();
    let recorded = 0;
    let denied = 0;
    for await (const { event } of readRecordedSteps(file)) {
      if (sessions.size < 20) sessions.add(event.sessionId);
      if (!sessions.has(event.sessionId)) continue;
      recorded++;
      if (event.type === 'tool_call' && event.decision === 'deny') denied++;
    }
    const report = await play([file], {
      sessions,
      contentFiles: [join(recordedData, 'agentdyn', 'dev.content.jsonl.gz')],
      labelsFiles: [join(recordedData, 'agentdyn', 'dev.labels.json')],
    });
    expect(report).toMatchObject({
      sessions: 20,
      events: recorded,
      recordsRefused: 0,
      callsExecuted: report.calls - denied,
    });
    expect(observer.refused).toEqual([]);
    expect(observer.records('tool_call')).toHaveLength(report.calls);
    expect(observer.records('tool_result').length).toBe(report.callsExecuted);
    expect(report.groups.map((g) => g.group)).not.toContain('unlabelled');
  });
});

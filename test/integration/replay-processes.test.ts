import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { replayWithProcesses, type ReplayProcessesOptions } from '../../src/sources/replay-processes.js';
import { repositoryRoot } from '../support/recorded.js';
import { recordedLines, recordedSession } from '../support/recorded-lines.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const START = Date.parse('2025-02-03T00:00:00Z');
const compiled = (path: string) => join(repositoryRoot, 'dist', path);
const fakeServe: [string, string] = [process.execPath, compiled('test/support/fake-observer-process.js')];
const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('parallax-replay-'));

describe('a replay with real processes', () => {
  let directory: ReturnType<typeof temporaryDirectory>;

  beforeAll(() => {
    if (existsSync(fakeServe[1]) && existsSync(compiled('src/gateway/reference/main.js'))) return;
    execFileSync(process.execPath, [
      join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc'),
      '-p',
      repositoryRoot,
    ]);
  });
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  function write(name: string, text: string): string {
    const file = join(directory.path, name);
    writeFileSync(file, text);
    return file;
  }

  function optionsOf(extra: Partial<ReplayProcessesOptions> = {}): ReplayProcessesOptions {
    const train = recordedLines([
      recordedSession('t1', { startMs: START }),
      recordedSession('t2', { startMs: START + 9 }),
    ]);
    const events = recordedLines([
      recordedSession('good', { startMs: START + 10_000 }),
      recordedSession('bad', { startMs: START + 10_050, iban: 'EVIL' }),
    ]);
    const labels = {
      good: { label: 'benign', kind: 'user_task' },
      bad: { label: 'hijacked', kind: 'user_task', harmSeq: 4 },
    };
    const content = { sessionId: 'good', seq: 3, text: 'IBAN DE1' };
    return {
      trainFiles: [write('train.jsonl', train)],
      files: [write('events.jsonl', events)],
      contentFiles: [write('content.jsonl', `${JSON.stringify(content)}\n`)],
      labelsFiles: [write('labels.json', JSON.stringify(labels))],
      speed: 'max',
      enforce: 'hold',
      env: { ...process.env, PARALLAX_MODE: 'observe' },
      observerCommand: fakeServe,
      deadlineMs: 5_000,
      ...extra,
    };
  }

  it('learns, plays, reports, stops everything and leaves nothing behind', async () => {
    const before = folders();
    const stages: string[] = [];
    let learned: { url: string; key: string } | undefined;
    const report = await replayWithProcesses(
      optionsOf({
        onProgress: ({ stage }) => stages.push(stage),
        afterLearning: async (observer) => {
          learned = observer;
        },
      }),
    );
    expect(report).toMatchObject({ sessions: 2, calls: 4, callsExecuted: 3, recordsRefused: 0 });
    expect(report.hijacked).toMatchObject({ sessions: 1, harmBlocked: 1 });
    expect(report.latency).toMatchObject({ count: 2, unanswered: 0 });
    expect([...new Set(stages)]).toEqual(['prepare', 'learn', 'score', 'play']);
    expect(learned?.key).toMatch(/^[\w-]{43}$/);
    await expect(fetch(`${learned?.url}/v1/status`)).rejects.toThrow('fetch failed');
    expect(folders()).toEqual(before);
  });

  it('gives each speaker a key of its own, in files that only the owner reads', async () => {
    const before = new Set(folders());
    let dir = '';
    await replayWithProcesses(
      optionsOf({
        keepFiles: true,
        config: { detection: { falseAlarmBudget: 0.02 }, respond: { neverAct: ['agent-x'] } },
        afterLearning: async () => {
          dir = join(tmpdir(), folders().find((name) => !before.has(name)) ?? '');
        },
      }),
    );
    const files = readdirSync(dir);
    const secret = files.filter((name) => name.endsWith('.key') || name === 'parallax.yaml' || name === 'gateway.json');
    expect(secret.sort()).toEqual([
      'admin.key',
      'agent-runtime.key',
      'caller.key',
      'gateway.json',
      'gateway.key',
      'governance.key',
      'parallax.yaml',
      'platform.key',
    ]);
    for (const name of secret) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
    const log = readFileSync(join(dir, 'observer.log'), 'utf8').trim().split('\n');
    const said: unknown = JSON.parse(log.at(-1) ?? '');
    rmSync(dir, { recursive: true });
    expect(log[0]).toBe('an odd line first');
    // 14 training and 12 played observations (the bad session ends at its refused call), and one result text.
    expect(said).toMatchObject({
      records: 27,
      orders: [
        { path: '/v1/learning', body: { mode: 'vouched' }, after: 0 },
        { path: '/v1/calibrate', body: {}, after: 14 },
        { path: '/v1/learning', body: { mode: 'frozen' }, after: 14 },
      ],
      refused: [],
      streamsPerKey: [['governance'], ['reasoning'], ['action'], ['metric']],
      config: {
        mode: 'act',
        http: { port: 0 },
        detection: { falseAlarmBudget: 0.02 },
        respond: { caps: { commandsPerMinute: 1_000_000 }, neverAct: ['agent-x'] },
        keys: [
          { id: 'agent-runtime', role: 'ingest', streams: ['reasoning'] },
          { id: 'gateway', role: 'gateway', streams: ['action'] },
          { id: 'governance', role: 'ingest', streams: ['governance'] },
          { id: 'platform', role: 'ingest', streams: ['metric'] },
          { id: 'admin', role: 'admin' },
        ],
      },
    });
  });

  it('says what a service said last when it does not start, and cleans up', async () => {
    const before = folders();
    const script = 'console.error("config refused: keys"); process.exit(3)';
    await expect(
      replayWithProcesses(optionsOf({ observerCommand: [process.execPath, '-e', script, '--'] })),
    ).rejects.toThrow(/the observer did not start; its last words:\nconfig refused: keys/);
    expect(folders()).toEqual(before);
  });

  it('stops everything when it is told to', async () => {
    const before = folders();
    const abort = new AbortController();
    const stopping = replayWithProcesses(optionsOf({ signal: abort.signal, afterLearning: async () => abort.abort() }));
    await expect(stopping).rejects.toThrow('the replay was stopped');
    expect(folders()).toEqual(before);
  });

  it('stops and cleans up when a recording is broken', async () => {
    const before = folders();
    const broken = write('broken.jsonl', '{"ts":"soon"}\n');
    await expect(replayWithProcesses(optionsOf({ files: [broken] }))).rejects.toThrow('broken.jsonl:1: ');
    expect(folders()).toEqual(before);
  });
});

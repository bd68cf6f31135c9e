import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { watch } from '../../src/cli/watch.js';
import { decodeRecord } from '../../src/log/record-codec.js';
import { MAX_LINE_BYTES } from '../../src/sources/line-reader.js';
import { OffsetsFile } from '../../src/sources/transcript/offsets-file.js';
import { watchTranscripts, type WatchOptions } from '../../src/sources/transcript/watch.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { claudeTranscript } from '../support/claude-transcript.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let stack: ApiStack;
let folder: ReturnType<typeof temporaryDirectory>;
let agent = '';
let tests = 0;
beforeAll(async () => {
  stack = await startApi();
});
afterAll(async () => {
  await stack.close();
});
beforeEach(() => {
  folder = temporaryDirectory();
  agent = `coder-${++tests}`;
  mkdirSync(join(folder.path, 'projects', 'a'), { recursive: true });
});
afterEach(() => {
  folder.remove();
});

const transcript = (name: string) => join(folder.path, 'projects', 'a', `${name}.jsonl`);
const text = (session: string) =>
  claudeTranscript(session)
    .map((line) => `${line}\n`)
    .join('');

/** Runs the command once. @returns its exit code and what it wrote */
async function run(change: Record<string, string | boolean> = {}): Promise<{ code: number; out: string }> {
  let out = '';
  const keyFile = join(folder.path, 'key');
  writeFileSync(keyFile, secretOf(typeof change['key'] === 'string' ? change['key'] : 'all'));
  const code = await watch.run({
    values: {
      url: stack.url,
      'key-file': keyFile,
      agent,
      once: true,
      history: true,
      state: join(folder.path, 'state', 'watch.json'),
      ...change,
    },
    positionals: [join(folder.path, 'projects')],
    env: {},
    console: { out: (words) => void (out += words), err: () => {}, isTerminal: false },
  });
  return { code, out };
}

/** Ids in the log of this test's agent, each as often as it came. */
function logged(): string[] {
  return stack.log
    .read(stack.log.tail, 100_000)
    .map((entry) => decodeRecord(entry))
    .flatMap((record) => (record.type === 'observation' && record.value.agentId === agent ? [record.value.id] : []));
}

/** Records that one transcript gives. */
const RECORDS = 10;

describe('parallax watch', () => {
  it('sends what transcripts say, and at the next run only what is new', async () => {
    writeFileSync(transcript('one'), text('s1'));
    expect(await run()).toEqual({ code: 0, out: `1 files, ${RECORDS} records sent\n` });
    appendFileSync(transcript('one'), text('s2'));
    mkdirSync(dirname(join(folder.path, 'projects', 'b', 'c', 'x')), { recursive: true });
    writeFileSync(join(folder.path, 'projects', 'b', 'c', 'deep.jsonl'), text('s3'));
    expect((await run()).out).toBe(`2 files, ${2 * RECORDS} records sent\n`);
    expect((await run()).out).toBe('2 files, 0 records sent\n');
    expect(logged()).toHaveLength(3 * RECORDS);
    expect(new Set(logged()).size).toBe(3 * RECORDS);
  });

  it('passes over what is there at the first run, unless it is asked for', async () => {
    writeFileSync(transcript('one'), text('s1'));
    expect((await run({ history: false })).out).toBe('1 files, 0 records sent\n');
    writeFileSync(transcript('two'), text('s2'));
    appendFileSync(transcript('one'), text('s3'));
    expect((await run({ history: false })).out).toBe(`2 files, ${2 * RECORDS} records sent\n`);
  });

  it('waits for the end of a line that is being written', async () => {
    const whole = text('s1');
    writeFileSync(transcript('one'), whole.slice(0, 500));
    const first = logged().length;
    await run();
    appendFileSync(transcript('one'), whole.slice(500));
    await run();
    expect([first, new Set(logged()).size]).toEqual([0, RECORDS]);
  });

  it('begins anew with a file that was cut short or took another’s name', async () => {
    writeFileSync(transcript('one'), text('s1'));
    await run();
    truncateSync(transcript('one'));
    appendFileSync(transcript('one'), text('s2'));
    expect((await run()).out).toContain(`${RECORDS} records sent`);
    writeFileSync(transcript('new'), text('s3') + text('s4'));
    renameSync(transcript('new'), transcript('one'));
    expect((await run()).out).toContain(`${2 * RECORDS} records sent`);
    expect(new Set(logged()).size).toBe(4 * RECORDS);
  });

  it('counts lines that are too long or no entries, and takes their neighbours', async () => {
    const long = JSON.stringify({ type: 'user', uuid: 'u', message: 'x'.repeat(MAX_LINE_BYTES + 10) });
    writeFileSync(transcript('one'), `no entry\n${long}\n${text('s1')}`);
    expect((await run()).out).toBe(`1 files, ${RECORDS} records sent, 2 lines that are no entries\n`);
  });

  it('follows files as they grow and come, until it is stopped', async () => {
    const [sent, stop] = [new Set<string>(), new AbortController()];
    const watching = watchTranscripts({
      directory: join(folder.path, 'projects'),
      agentId: agent,
      offsets: new OffsetsFile(join(folder.path, 'state', 'watch.json')),
      post: (observations) => {
        for (const { id } of observations) sent.add(id ?? '');
        return Promise.resolve([]);
      },
      withHistory: false,
      once: false,
      signal: stop.signal,
      onProgress: () => {},
    });
    writeFileSync(transcript('one'), '');
    await eventually('the first look', () => existsSync(join(folder.path, 'state', 'watch.json')));
    appendFileSync(transcript('one'), text('s1'));
    await eventually('the file that grew', () => sent.size === RECORDS);
    writeFileSync(transcript('two'), text('s2'));
    await eventually('the new file', () => sent.size === 2 * RECORDS);
    stop.abort();
    expect(await watching).toMatchObject({ sent: 2 * RECORDS, refused: 0 });
  });

  it('sends again what was not committed when it was killed', async () => {
    writeFileSync(transcript('one'), Array.from({ length: 120 }, (_, i) => text(`s${i}`)).join(''));
    const run_ = (post: WatchOptions['post']) =>
      watchTranscripts({
        directory: join(folder.path, 'projects'),
        agentId: agent,
        offsets: new OffsetsFile(join(folder.path, 'state', 'watch.json')),
        post,
        withHistory: true,
        once: true,
        signal: new AbortController().signal,
        onProgress: () => {},
      });
    const committed: string[] = [];
    const post: WatchOptions['post'] = (observations) => {
      for (const { id } of observations) committed.push(id ?? '');
      return Promise.resolve([]);
    };
    let batches = 0;
    const killed = run_((observations) => {
      if (++batches === 3) return Promise.reject(new Error('killed'));
      return post(observations);
    });
    await expect(killed).rejects.toThrow('killed');
    expect(committed).toHaveLength(1_000);
    await run_(post);
    expect(new Set(committed).size).toBe(120 * RECORDS);
  });

  it('stops, and forgets nothing, where the key is for other agents', async () => {
    writeFileSync(transcript('one'), text('s1'));
    await expect(run({ key: 'bound' })).rejects.toThrow(`nothing of agent "${agent}" is taken: this key may not speak`);
    expect((await run()).out).toContain(`${RECORDS} records sent`);
  });

  it('says what the observer refuses', async () => {
    writeFileSync(transcript('one'), text('s1'));
    const { code, out } = await run({ key: 'runtime' });
    expect(code).toBe(1);
    expect(out).toMatch(/6 refused, the first because stream/);
  });

  it('ends with the reason where the key is not known', async () => {
    writeFileSync(transcript('one'), text('s1'));
    await expect(run({ key: 'nobody' })).rejects.toThrow('401');
  });

  it('refuses a state file that is none', async () => {
    mkdirSync(join(folder.path, 'state'));
    writeFileSync(join(folder.path, 'state', 'watch.json'), '{"version":2}');
    await expect(run()).rejects.toThrow(/watch\.json: is no state of "parallax watch"; remove it/);
  });

  it('loses nothing while the observer is away', async () => {
    writeFileSync(transcript('one'), text('s1'));
    const port = await freePort();
    const running = run({ url: `http://127.0.0.1:${port}` });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(logged()).toEqual([]);
    const target = { host: '127.0.0.1', port: Number(new URL(stack.url).port) };
    const way = createServer((client) => void client.pipe(connect(target)).pipe(client));
    await once(way.listen(port, '127.0.0.1'), 'listening');
    expect((await running).out).toContain(`${RECORDS} records sent`);
    expect(new Set(logged()).size).toBe(RECORDS);
    const state = readFileSync(join(folder.path, 'state', 'watch.json'), 'utf8');
    expect(state).toContain(`"offset":${Buffer.byteLength(text('s1'))}`);
    way.close();
  });
});

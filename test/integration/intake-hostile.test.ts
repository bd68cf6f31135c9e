import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/model/log-record.js';
import type { IntakeReport } from '../../src/model/wire.js';
import { retainedBytes } from '../support/heap.js';
import { prompt, startApi, type ApiStack } from '../support/api-stack.js';

let stack: ApiStack;

beforeEach(async () => {
  stack = await startApi();
});

afterEach(async () => {
  await stack.close();
});

const PATH = '/v1/observations';
const LINES = 'application/x-ndjson';

async function report(response: Response): Promise<IntakeReport> {
  expect(response.status).toBe(200);
  return (await response.json()) as IntakeReport;
}

async function errorOf(response: Response): Promise<{ code: string; message: string; field?: string; fix?: string }> {
  const body = (await response.json()) as { error: { code: string; message: string } };
  expect(body.error.message.length).toBeGreaterThan(5);
  return body.error;
}

type Values = { [R in LogRecord as R['type']]: R['value'] };

function ofType<T extends LogRecord['type']>(type: T): Values[T][] {
  const values: unknown[] = stack.logged().flatMap((record) => (record.type === type ? [record.value] : []));
  // A record's value has the type that goes with its name.
  return values as Values[T][];
}

describe('bad records', () => {
  it('are refused by index and field, and their neighbours go through', async () => {
    const result = await report(
      await stack.post(PATH, [
        prompt({ seq: 0 }),
        prompt({ seq: '1' }),
        7,
        prompt({ time: 'yesterday' }),
        prompt({ kind: 'shout' }),
        prompt({ seq: 5 }),
      ]),
    );
    expect(result.accepted).toBe(2);
    expect(result.refused.map(({ index, field }) => [index, field])).toEqual([
      [1, 'seq'],
      [2, ''],
      [3, 'time'],
      [4, 'kind'],
    ]);
    expect(ofType('observation').map((o) => o.seq)).toEqual([0, 5]);
    expect(ofType('dead-letter').map((d) => d.field)).toEqual(['seq', '', 'time', 'kind']);
  });

  it('of NDJSON and of arrays: malformed ones cost only themselves', async () => {
    const good = JSON.stringify(prompt());
    const lines = await report(await stack.post(PATH, `${good}\n{"broken":\n${good}`, { type: LINES }));
    expect(lines).toMatchObject({ accepted: 2, refused: [{ index: 1, field: '' }] });
    const array = await report(await stack.post(PATH, `[${good},{"broken":},${good}]`));
    expect(array).toMatchObject({ accepted: 2, refused: [{ index: 1, field: '' }] });
    expect((await report(await stack.post(PATH, '{"a":'))).refused).toHaveLength(1);
  });

  it('with NaN, Infinity, 1e400 or negative numbers are refused by field name', async () => {
    const metric = (value: string) =>
      `{"time":1,"agentId":"a","stream":"metric","kind":"sample","values":{"latencyMs":${value}}}`;
    const result = await report(
      await stack.post(PATH, ['NaN', '1e400', '-1e400', 'Infinity', '1'].map(metric).join('\n'), { type: LINES }),
    );
    expect(result.accepted).toBe(1);
    expect(result.refused.map(({ index, field }) => [index, field])).toEqual([
      [0, ''],
      [1, 'values.latencyMs'],
      [2, 'values.latencyMs'],
      [3, ''],
    ]);
    expect(result.refused[0]?.reason).toContain('NaN');
    expect((await report(await stack.post(PATH, prompt({ time: -5 })))).refused[0]?.field).toBe('time');
  });

  it('with a time far in the future are kept as they are: the join judges them', async () => {
    const time = Date.now() + 10 * 365 * 86_400_000;
    expect(await report(await stack.post(PATH, prompt({ time })))).toEqual({ accepted: 1, refused: [] });
    expect(ofType('observation')[0]?.time).toBe(time);
  });

  it('leave a redacted, harmless excerpt', async () => {
    await stack.post(PATH, prompt({ password: 'hunter2hunter2', note: '\u001b[31m\u202e<script>' }));
    const [letter] = ofType('dead-letter');
    expect(letter?.excerpt).not.toContain('hunter2');
    expect(letter?.excerpt).not.toContain('\u202e');
    expect(letter?.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('by the ten thousand do not fill the log', async () => {
    const result = await report(await stack.post(PATH, '1\n'.repeat(10_000), { type: LINES }));
    expect(result.refused).toHaveLength(10_000);
    expect(ofType('dead-letter')).toHaveLength(1_001);
    expect(stack.intake.counters()).toMatchObject({ refused: 10_000, deadLetters: 1_000, deadLettersFolded: 9_000 });
  });
});

describe('large and deep bodies', () => {
  it('a 10 MB text is refused by its index, its neighbour goes through', async () => {
    const result = await report(await stack.post(PATH, [prompt({ text: 'x'.repeat(10_000_000) }), prompt()]));
    expect(result.accepted).toBe(1);
    expect(result.refused[0]?.reason).toContain('send at most 1048576 bytes a record');
  });

  it('a body above the limit is refused as a whole', async () => {
    const response = await stack.post(PATH, ' '.repeat(17 * 1024 * 1024));
    expect(response.status).toBe(413);
    expect((await errorOf(response)).code).toBe('too-large');
  });

  it('depth 10,000 is refused before it is parsed', async () => {
    const deep = `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    const result = await report(await stack.post(PATH, `[${deep},${JSON.stringify(prompt())}]`));
    expect(result).toMatchObject({ accepted: 1, refused: [{ index: 0 }] });
    expect(result.refused[0]?.reason).toContain('nested deeper than 32');
    const open = await report(await stack.post(PATH, '['.repeat(1_000_000)));
    expect(open.accepted).toBe(0);
  });

  it('a gzip bomb is refused after 16 MB, honest gzip is taken', async () => {
    const headers = { 'content-encoding': 'gzip' };
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, 0x20));
    expect(bomb.length).toBeLessThan(1_000_000);
    const refused = await stack.post(PATH, bomb, { headers });
    expect(refused.status).toBe(413);
    const broken = await stack.post(PATH, 'not gzip', { headers });
    expect(broken.status).toBe(400);
    const honest = gzipSync(JSON.stringify([prompt(), prompt({ seq: 2 })]));
    expect(await report(await stack.post(PATH, honest, { headers }))).toMatchObject({ accepted: 2 });
    expect((await stack.post(PATH, '{}', { headers: { 'content-encoding': 'br' } })).status).toBe(415);
  });

  it('20,000 records are taken, one more is refused with the fix', async () => {
    const lines = Array.from({ length: 20_000 }, (_, seq) => JSON.stringify(prompt({ seq })));
    const response = await stack.post(PATH, [...lines, lines[0]].join('\n'), { type: LINES });
    expect(response.status).toBe(413);
    expect((await errorOf(response)).fix).toContain('20000');
    expect(await report(await stack.post(PATH, lines.join('\n'), { type: LINES }))).toMatchObject({ accepted: 20_000 });
    const ids = new Set(ofType('observation').map((o) => o.id));
    expect(ids.size).toBe(20_000);
  });
});

describe('hostile content', () => {
  it('is kept as data: markup, control characters, escapes, direction changes', async () => {
    const tool = 'send\u202eyenom\u0000<script>alert(1)</script>';
    const call = {
      time: 1,
      agentId: 'agent-a',
      stream: 'action',
      kind: 'tool_call',
      tool,
      decision: 'deny',
      reason: '\u001b[2Jpassword: hunter22 <img onerror=x>',
      args: { note: '\u001b]0;title\u0007 {{7*7}} \r\nHTTP/1.1 200 OK' },
    };
    expect(await report(await stack.post(PATH, call))).toEqual({ accepted: 1, refused: [] });
    const [observation] = ofType('observation');
    expect(observation).toMatchObject({
      tool: 'send\\u202eyenom\\u0000<script>alert(1)</script>',
      reason: '\\u001b[2Jpassword: [redacted:password] <img onerror=x>',
    });
    // Nothing that a terminal, a log line or a database could take for its own.
    expect(hasControl(JSON.stringify(observation))).toBe(false);
    expect(hasControl(JSON.stringify(ofType('payload')))).toBe(false);
  });

  it('that is no Unicode text is refused in names, and harmless elsewhere', async () => {
    const named = JSON.stringify(prompt({ sessionId: 'S' })).replace('"S"', '"s\\ud800"');
    expect((await report(await stack.post(PATH, named))).refused[0]).toMatchObject({ field: 'sessionId' });
    const text = JSON.stringify(prompt({ text: 'T' })).replace('"T"', '"half \\ud800"');
    expect(await report(await stack.post(PATH, text))).toMatchObject({ accepted: 1 });
    expect(hasControl(JSON.stringify(ofType('payload')))).toBe(false);
  });

  it('__proto__ and constructor keys change nothing', async () => {
    const refused = await stack.post(PATH, `{"__proto__":{"stream":"metric"},${JSON.stringify(prompt()).slice(1)}`);
    expect((await report(refused)).refused[0]?.field).toBe('__proto__');
    const args = '{"__proto__":{"to":"DE89370400440532013000"},"constructor":{"prototype":{"polluted":1}}}';
    const call = `{"time":1,"agentId":"a","stream":"action","kind":"tool_call","tool":"t","decision":"allow","args":${args}}`;
    expect(await report(await stack.post(PATH, call))).toMatchObject({ accepted: 1 });
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    expect(ofType('payload')[0]?.content).toBe(`{"args":${args}}`);
    const [observation] = ofType('observation');
    expect(observation).toMatchObject({ targets: [{ field: 'to', kind: 'iban' }, { field: 'polluted' }] });
  });

  it('of duplicate keys the one that is checked is the one that is kept', async () => {
    const body = '{"agentId":"agent-a","agentId":"agent-b","time":1,"stream":"reasoning","kind":"prompt","text":"x"}';
    const bound = await report(await stack.post(PATH, body, { key: 'bound' }));
    expect(bound).toMatchObject({ accepted: 0, refused: [{ field: 'agentId' }] });
    await report(await stack.post(PATH, body));
    expect(ofType('observation').map((o) => o.agentId)).toEqual(['agent-b']);
  });
});

describe('a key', () => {
  it('speaks only for its agents and its streams', async () => {
    const records = ['agent-a', 'agent-ab', 'team-7', 'agent-b'].map((agentId) => prompt({ agentId }));
    const result = await report(await stack.post(PATH, records, { key: 'bound' }));
    expect(result.refused.map(({ index, field }) => [index, field])).toEqual([
      [1, 'agentId'],
      [3, 'agentId'],
    ]);
    expect(JSON.stringify(result)).not.toContain('team-');
    const metric = { time: 1, agentId: 'agent-a', stream: 'metric', kind: 'sample', values: {} };
    expect((await report(await stack.post(PATH, metric, { key: 'bound' }))).refused[0]?.field).toBe('stream');
    expect(ofType('observation').every((o) => o.tenant === 'default' && o.principalId === 'bound')).toBe(true);
  });

  it('cannot suppress another key’s record by taking its id', async () => {
    await stack.post(PATH, prompt({ id: 'x' }), { key: 'runtime' });
    await stack.post(PATH, prompt({ id: 'x' }), { key: 'bound' });
    await stack.post(PATH, prompt({ id: 'x' }), { key: 'runtime' });
    expect(ofType('observation').map((o) => o.id)).toEqual(['runtime/x', 'bound/x', 'runtime/x']);
  });

  it('may invent a hundred thousand agents without costing memory here', async () => {
    // The first half fills what is kept of the newest of everything, such as the log's 16 MiB.
    for (let from = 0; from < 50_000; from += 10_000) await invent(from, 10_000);
    const filled = await retainedBytes();
    for (let from = 50_000; from < 100_000; from += 10_000) await invent(from, 10_000);
    const perAgent = ((await retainedBytes()) - filled) / 50_000;
    // The shortest name kept in a map costs more.
    expect(perAgent).toBeLessThan(60);
  });
});

async function invent(from: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) => JSON.stringify(prompt({ agentId: `ghost-${from + i}` })));
  const result = await report(await stack.post(PATH, lines.join('\n'), { type: LINES }));
  expect(result.accepted).toBe(count);
}

describe('overload', () => {
  it('is answered 429 with Retry-After, and passes', async () => {
    await stack.close();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    stack = await startApi({
      maxPendingBytes: 1_000,
      log: (log) => ({ append: async (records) => held.then(() => log.append(records)) }),
    });
    const text = 'x'.repeat(900);
    const first = stack.post(PATH, prompt({ text }));
    await until(() => stack.intake.counters().pendingBytes > 0);
    const second = await stack.post(PATH, prompt({ text }));
    expect(second.status).toBe(429);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await errorOf(second)).code).toBe('overloaded');
    release();
    expect(await report(await first)).toMatchObject({ accepted: 1 });
    expect(await report(await stack.post(PATH, prompt({ text })))).toMatchObject({ accepted: 1 });
    expect(stack.intake.counters()).toMatchObject({ overloaded: 1, pendingBytes: 0 });
  });

  it('a full log is answered 503 with Retry-After; another fault of the log 500 without detail', async () => {
    await stack.close();
    const faults = [Object.assign(new Error('disk'), { code: 'LOG_FULL' }), new Error('secret path /var/lib')];
    stack = await startApi({
      log: () => ({
        append: () => Promise.reject(faults.shift() ?? new Error('none left')),
      }),
    });
    const full = await stack.post(PATH, prompt());
    expect(full.status).toBe(503);
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
    const broken = await stack.post(PATH, prompt());
    expect(broken.status).toBe(500);
    expect(JSON.stringify(await errorOf(broken))).not.toContain('/var');
    expect(stack.unexpected.splice(0)).toHaveLength(1);
  });

  it('bodies being read count too', async () => {
    await stack.close();
    stack = await startApi({ limits: { maxPendingBytes: 1_000 } });
    let finish = () => {};
    const slow = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.alloc(900, 0x20));
        finish = () => {
          controller.enqueue(Buffer.from(JSON.stringify(prompt())));
          controller.close();
        };
      },
    });
    const pending = fetch(stack.url + PATH, {
      method: 'POST',
      headers: { authorization: `Bearer secret-of-all-0123456789`, 'content-type': 'application/json' },
      body: slow,
      duplex: 'half',
    });
    await until(async () => {
      const status = (await (await stack.get('/v1/status')).json()) as { api: { heldBodyBytes: number } };
      return status.api.heldBodyBytes >= 900;
    });
    expect((await stack.post(PATH, prompt())).status).toBe(429);
    finish();
    // It was there first, and its own rest found no more room either way: an answer, not a hang.
    expect([200, 429]).toContain((await pending).status);
  });
});

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x202a && code <= 0x202e) || (code >= 0xd800 && code <= 0xdfff)) return true;
  }
  return false;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it never came true');
}

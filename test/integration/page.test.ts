import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { sampleCommand, sampleIncident } from '../support/samples.js';

let stack: ApiStack;
beforeEach(async () => {
  stack = await startApi();
  stack.incidents.push(sampleIncident({ commandIds: ['cmd_1'] }), sampleIncident({ id: 'inc_b', agentId: 'agent-b' }));
  stack.board.commands = [sampleCommand({ expiresAt: Date.now() + 60_000 })];
});
afterEach(() => stack.close());

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** As a browser asks, which `fetch` here does not let a test do: with cookies, an origin and the site of the request. */
function ask(method: string, path: string, options: { headers?: Record<string, string>; body?: string } = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const sent = request(stack.url + path, { method, headers: options.headers ?? {} }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const own = () => ({ origin: stack.url, 'sec-fetch-site': 'same-origin' });

function login(key: string, headers: Record<string, string> = own()) {
  return ask('POST', '/login', { headers: { ...form, ...headers }, body: `key=${encodeURIComponent(key)}` });
}

/** Signs in; what the page's script then knows. */
async function signedIn(id: string) {
  const answer = await login(secretOf(id));
  expect([answer.status, answer.headers['location']]).toEqual([303, '/']);
  const [set = ''] = answer.headers['set-cookie'] ?? [];
  const cookie = set.split(';')[0] ?? '';
  const page = await ask('GET', '/', { headers: { cookie } });
  const token = /data-token="([^"]+)"/.exec(page.text)?.[1] ?? '';
  return { set, cookie, token, page, acting: { cookie, ...own(), 'x-parallax-token': token } };
}

const LIFT = '/v1/commands/cmd_1/lift';
const reason = JSON.stringify({ reason: 'all clear' });

describe('signing in', () => {
  it('shows nothing but a form to strangers, which says where the key lies', async () => {
    const { status, text, headers } = await ask('GET', '/');
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=UTF-8']);
    expect(text).toContain('A key lies in admin.key.');
    expect(text).not.toContain('agent-a');
    expect((await ask('GET', '/view')).status).toBe(401);
  });

  it('gives a cookie that scripts cannot read and other sites cannot send, and that is no key', async () => {
    const { set, page } = await signedIn('viewer');
    expect(set).toMatch(/^parallax_\d+=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(set).not.toContain(secretOf('viewer'));
    expect(page.text).toContain('agent-a');
    expect(page.text).toContain('viewer (viewer)');
    expect(page.text).not.toContain(secretOf('viewer'));
  });

  it('refuses wrong keys, keys of programs, and forms of other sites', async () => {
    const wrong = await login('not-a-key-of-this-install');
    expect([wrong.status, wrong.headers['set-cookie']]).toEqual([401, undefined]);
    expect(wrong.text).toContain('not a key of this observer');
    const machine = await login(secretOf('gateway'));
    expect([machine.status, machine.headers['set-cookie']]).toEqual([403, undefined]);
    expect(machine.text).toContain('belongs to a program');
    for (const headers of [{}, { origin: 'https://evil.example' }, { origin: 'null' }]) {
      expect((await login(secretOf('admin'), headers)).status).toBe(403);
    }
  });

  it('lets nobody guess for long', async () => {
    for (let i = 0; i < 10; i++) expect((await login(`guess-number-${i}-0123456789`)).status).toBe(401);
    const late = await login(secretOf('admin'));
    expect(late.status).toBe(429);
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0);
    expect(late.text).toContain('Too many wrong keys');
  });

  it('ends when the person says so', async () => {
    const { cookie, acting } = await signedIn('viewer');
    expect((await ask('POST', '/logout', { headers: acting })).status).toBe(200);
    expect((await ask('GET', '/view', { headers: { cookie } })).status).toBe(401);
  });
});

describe('acting from the page', () => {
  it('goes through the routes of the API, under the person’s own name', async () => {
    const { acting } = await signedIn('responder');
    expect((await ask('POST', LIFT, { headers: acting, body: reason })).status).toBe(202);
    const verdict = JSON.stringify({ verdict: 'false-positive' });
    expect((await ask('POST', '/v1/incidents/inc_1/verdict', { headers: acting, body: verdict })).status).toBe(202);
    expect(stack.journal.orders).toMatchObject([{ order: 'lift', commandId: 'cmd_1', by: 'responder' }]);
    expect(stack.journal.verdicts).toMatchObject([{ incidentId: 'inc_1', by: 'responder' }]);
  });

  it('is offered and allowed by role only', async () => {
    const lifts = ['viewer', 'analyst', 'responder', 'admin'].map(async (id) => {
      const { page, acting } = await signedIn(id);
      const { status } = await ask('POST', LIFT, { headers: acting, body: reason });
      const view = await ask('GET', '/view?open=inc_1', { headers: { cookie: acting.cookie } });
      return [id, page.text.includes('/lift"'), status, view.text.includes('/verdict"')];
    });
    expect(await Promise.all(lifts)).toEqual([
      ['viewer', false, 403, false],
      ['analyst', false, 403, true],
      ['responder', true, 202, true],
      ['admin', true, 202, true],
    ]);
  });

  it('needs the token and our own origin: a cookie alone changes nothing', async () => {
    const { cookie, token } = await signedIn('responder');
    const tries: Record<string, string>[] = [
      { cookie },
      { cookie, ...own() },
      { cookie, ...own(), 'x-parallax-token': 'x'.repeat(43) },
      { cookie, 'x-parallax-token': token },
      { cookie, origin: 'https://evil.example', 'x-parallax-token': token },
      { cookie, origin: stack.url, 'sec-fetch-site': 'cross-site', 'x-parallax-token': token },
    ];
    for (const headers of tries) expect((await ask('POST', LIFT, { headers, body: reason })).status).toBe(403);
    expect((await ask('POST', '/logout', { headers: { cookie } })).status).toBe(403);
    expect(stack.journal.orders).toEqual([]);
  });
});

describe('what is sent', () => {
  it('comes under a policy that lets nothing run, load or speak but our own', async () => {
    const { headers } = await ask('GET', '/');
    const policy = String(headers['content-security-policy']).split('; ').sort();
    expect(policy).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "img-src 'self'",
      "require-trusted-types-for 'script'",
      "script-src 'self'",
      "style-src 'self'",
      'trusted-types parallax',
    ]);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toBe('same-origin');
    expect(headers['cache-control']).toBe('no-store');
    const { text } = await ask('GET', '/');
    expect(text).not.toMatch(/<style|style=|<script(?! src="\/page\.js" defer)|\son\w+=|https?:/);
  });

  it('is sent again only when it changed', async () => {
    const { cookie } = await signedIn('viewer');
    const first = await ask('GET', '/view', { headers: { cookie } });
    const tag = String(first.headers['etag']);
    const same = await ask('GET', '/view', { headers: { cookie, 'if-none-match': tag } });
    expect([same.status, same.text]).toEqual([304, '']);
    stack.incidents.push(sampleIncident({ id: 'inc_new', title: 'something new' }));
    const changed = await ask('GET', '/view', { headers: { cookie, 'if-none-match': tag } });
    expect(changed.status).toBe(200);
    expect(changed.text).toContain('something new');
  });

  it('holds what was asked for: part of an agent’s name, a status, one incident', async () => {
    const { cookie } = await signedIn('viewer');
    const view = async (query: string) => (await ask('GET', `/view?${query}`, { headers: { cookie } })).text;
    expect(await view('agent=T-B')).not.toContain('row-inc_1');
    expect(await view('agent=T-B')).toContain('row-inc_b');
    expect(await view('status=closed')).toContain('No incident matches');
    expect(await view('open=inc_1')).toContain('data-incident="inc_1"');
    expect(await view('open=inc_gone')).toContain('not held any more');
  });

  it('is only what the tenant and the key may see', async () => {
    const { page } = await signedIn('stranger');
    expect(page.text).not.toMatch(/agent-a|agent-b/);
  });
});

import { createHash } from 'node:crypto';
import { INCIDENT_STATUSES } from '../../model/incident.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import type { ApiContext, ApiDeps } from '../context.js';
import type { PageAccess } from '../page-access.js';
import type { PageSession } from '../page-sessions.js';
import type { PageFile, PageRequest, Pages } from '../port.js';
import { withBody } from '../read-body.js';
import { mayUse } from '../roles.js';
import type { SignInLimit } from '../sign-in-limit.js';

const MAX_FORM_BYTES = 8 * 1024;

/** What a page may do in a browser: nothing but load its own script, style and icon, and speak to us. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types parallax',
].join('; ');

export interface PageDeps {
  pages: Pages;
  access: PageAccess;
  limit: SignInLimit;
}

/** `GET /`: the board, or the form to sign in. */
export function getPage({ pages, access }: PageDeps) {
  return (c: ApiContext): Response => {
    const session = access.session(c);
    return html(c, session === undefined ? pages.signIn() : pages.board(requestOf(c, session)));
  };
}

/** `GET /view`: what changes on the board; 304 while it does not. */
export function getView({ pages, access }: PageDeps) {
  return (c: ApiContext): Response => {
    const session = access.session(c) ?? { principal: c.var.principal, token: '' };
    const text = pages.view(requestOf(c, session));
    const tag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`;
    c.header('ETag', tag);
    // Asked again each time, so that the browser may compare.
    c.header('Cache-Control', 'no-cache');
    return c.req.header('if-none-match') === tag ? c.body(null, 304) : html(c, text);
  };
}

/** `GET /page.js` and its like: they hold nothing secret. */
export function getFile({ type, body }: PageFile) {
  return (c: ApiContext): Response => c.body(body, 200, { 'Content-Type': type });
}

/** `POST /login`: a form with a key. */
export function postLogin({ pages, access, limit }: PageDeps, { budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    access.checkOrigin(c);
    const address = c.env.incoming.socket.remoteAddress ?? '';
    const waitSeconds = limit.waitSeconds(address);
    if (waitSeconds > 0) {
      c.header('Retry-After', String(waitSeconds));
      return html(c, pages.signIn(`Too many wrong keys. Try again in ${waitSeconds} seconds.`), 429);
    }
    const secret = await withBody(c.env.incoming, { maxBytes: MAX_FORM_BYTES, budget }, async (body) =>
      (new URLSearchParams(body.toString('utf8')).get('key') ?? '').trim(),
    );
    const outcome = access.signIn(c, secret);
    if (outcome === 'done') return c.redirect('/', 303);
    if (outcome === 'unknown') limit.failed(address);
    return html(c, pages.signIn(outcome === 'machine' ? MACHINE_KEY : WRONG_KEY), outcome === 'machine' ? 403 : 401);
  };
}

const WRONG_KEY = 'This is not a key of this observer.';
const MACHINE_KEY = 'This key belongs to a program. Use one with the role viewer, analyst, responder or admin.';

/** `POST /logout`. */
export function postLogout({ access }: PageDeps) {
  return (c: ApiContext): Response => {
    access.signOut(c);
    return c.json({ done: true });
  };
}

function requestOf(c: ApiContext, { principal, token }: PageSession): PageRequest {
  const request: PageRequest = {
    principal,
    token,
    may: {
      contain: mayUse(principal.role, 'POST /v1/commands/:id/lift'),
      judge: mayUse(principal.role, 'POST /v1/incidents/:id/verdict'),
    },
    agent: (c.req.query('agent') ?? '').slice(0, MAX_NAME_CHARS),
  };
  const status = INCIDENT_STATUSES.find((known) => known === c.req.query('status'));
  if (status !== undefined) request.status = status;
  const open = c.req.query('open');
  if (open !== undefined && open !== '') request.open = open.slice(0, MAX_NAME_CHARS);
  return request;
}

function html(c: ApiContext, text: string, status: 200 | 401 | 403 | 429 = 200): Response {
  c.header('Content-Security-Policy', PAGE_POLICY);
  // "no-referrer" would take the origin off our own forms as well.
  c.header('Referrer-Policy', 'same-origin');
  c.header('Cross-Origin-Opener-Policy', 'same-origin');
  return c.html(text, status);
}

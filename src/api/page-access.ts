import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { ApiContext } from './context.js';
import { ApiError } from './errors.js';
import { SESSION_MS, type PageSession, type PageSessions } from './page-sessions.js';

/** Header in which the page's script sends the session's token. */
const TOKEN_HEADER = 'x-parallax-token';

export interface PageAccessOptions {
  sessions: PageSessions;
  /** Where people find the page, when that is another address than the one this process listens on. */
  publicUrl?: string;
}

/** What a browser brings along: the session in its cookie, and proof that our own page sent a request. */
export class PageAccess {
  readonly #sessions: PageSessions;
  readonly #publicUrl: URL | undefined;

  constructor({ sessions, publicUrl }: PageAccessOptions) {
    this.#sessions = sessions;
    this.#publicUrl = publicUrl === undefined ? undefined : new URL(publicUrl);
  }

  session(c: ApiContext): PageSession | undefined {
    return this.#sessions.find(getCookie(c, cookieName(c)));
  }

  /** @returns false where the secret is no key's, or the key is none of a person's */
  signIn(c: ApiContext, secret: string): 'done' | 'unknown' | 'machine' {
    const opened = this.#sessions.open(secret);
    if (opened === undefined) return 'unknown';
    if (opened.principal.role === 'ingest' || opened.principal.role === 'gateway') {
      this.#sessions.close(opened.id);
      return 'machine';
    }
    setCookie(c, cookieName(c), opened.id, {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      secure: this.#publicUrl?.protocol === 'https:',
      maxAge: SESSION_MS / 1_000,
    });
    return 'done';
  }

  signOut(c: ApiContext): void {
    const id = getCookie(c, cookieName(c));
    if (id !== undefined) this.#sessions.close(id);
    deleteCookie(c, cookieName(c), { path: '/' });
  }

  /** @throws ApiError 403 for a request that another site made the browser send */
  checkOrigin(c: ApiContext): void {
    const origin = c.req.header('origin');
    const parsed = origin !== undefined && URL.canParse(origin) ? new URL(origin) : undefined;
    const isOwn =
      parsed !== undefined && (parsed.host === c.req.header('host') || parsed.origin === this.#publicUrl?.origin);
    const site = c.req.header('sec-fetch-site');
    if (isOwn && (site === undefined || site === 'same-origin')) return;
    throw new ApiError(403, 'cross-site', 'this came from another site', {
      fix: 'act from the page itself; behind a proxy, set http.publicUrl to the address in the browser',
    });
  }

  /** @throws ApiError 403 for a change that the page itself did not ask for */
  checkChange(c: ApiContext, session: PageSession): void {
    this.checkOrigin(c);
    // The token is the digest of a secret of 256 bits: comparing it bit by bit leads nowhere.
    if (c.req.header(TOKEN_HEADER) === session.token) return;
    throw new ApiError(403, 'token', 'the request does not carry the token of this session', {
      fix: 'load the page again',
    });
  }
}

/** Browsers share cookies between the ports of a host; two observers on one machine must not sign each other out. */
function cookieName(c: ApiContext): string {
  const port = /:(\d{1,5})$/.exec(c.req.header('host') ?? '')?.[1];
  return port === undefined ? 'parallax' : `parallax_${port}`;
}

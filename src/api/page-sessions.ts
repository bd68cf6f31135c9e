import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { BoundedMap } from '../lib/bounded-map.js';
import type { Clock } from '../lib/clock.js';
import type { Principal } from '../model/principal.js';
import type { KeyRing } from './keys.js';

/** A working day; then the key is asked for again. */
export const SESSION_MS = 12 * 60 * 60_000;
const MAX_SESSIONS = 1_000;
const ID_BYTES = 32;
const ID_CHARS = 43;

const storedSchema = z.array(
  z.strictObject({ digest: z.string(), keyId: z.string(), mark: z.string(), until: z.number() }),
);
type StoredSession = z.infer<typeof storedSchema>[number];

/** Somebody who has signed in to the page. */
export interface PageSession {
  principal: Principal;
  /** Must come with everything the page changes: another site can make a browser send the cookie, but not know this. */
  token: string;
}

export interface PageSessionsOptions {
  keys: KeyRing;
  clock: Clock;
  /** Keeps people signed in over a restart. Holds neither keys nor anything that could be used as a cookie. */
  file: string;
}

/**
 * Who has signed in to the page. A session names a key and is worth what that key is worth now: a key that is taken
 * out of the configuration, or gets another secret, ends its sessions.
 */
export class PageSessions {
  readonly #options: PageSessionsOptions;
  /** By the digest of the id, so that neither memory nor file gives a session away. */
  readonly #sessions = new BoundedMap<string, StoredSession>(MAX_SESSIONS);

  constructor(options: PageSessionsOptions) {
    this.#options = options;
    for (const session of readSessions(options.file)) this.#sessions.set(session.digest, session);
  }

  /** @returns the id for the cookie, and who signed in; undefined where the secret is no key's */
  open(secret: string): { id: string; principal: Principal } | undefined {
    const proof = this.#options.keys.prove(secret);
    if (proof === undefined) return undefined;
    const id = randomBytes(ID_BYTES).toString('base64url');
    const { principal, mark } = proof;
    const until = this.#options.clock.now() + SESSION_MS;
    this.#sessions.set(digestOf(id), { digest: digestOf(id), keyId: principal.id, mark, until });
    this.#save();
    return { id, principal };
  }

  find(id: string | undefined): PageSession | undefined {
    if (id === undefined || id.length !== ID_CHARS) return undefined;
    const held = this.#sessions.get(digestOf(id));
    if (held === undefined || held.until <= this.#options.clock.now()) return undefined;
    const principal = this.#options.keys.holderOf(held.keyId, held.mark);
    return principal === undefined ? undefined : { principal, token: digestOf(`token of ${id}`) };
  }

  close(id: string): void {
    if (this.#sessions.delete(digestOf(id))) this.#save();
  }

  /** Written rarely: when somebody signs in or out. */
  #save(): void {
    const now = this.#options.clock.now();
    for (const { digest, until } of this.#sessions.values()) if (until <= now) this.#sessions.delete(digest);
    const { file } = this.#options;
    writeFileSync(`${file}.new`, JSON.stringify([...this.#sessions.values()]), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
}

/** A file that is missing or damaged costs nothing but signing in again. */
function readSessions(file: string): StoredSession[] {
  try {
    return storedSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return [];
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

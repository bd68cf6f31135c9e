import { BoundedMap } from '../lib/bounded-map.js';
import { StateTable } from '../lib/state-table.js';
import { SessionState, type PlainSession } from './session-state.js';

/** Which session; observations without a session id belong to one session of their agent. */
export interface SessionKey {
  tenant: string;
  agentId: string;
  sessionId?: string | undefined;
}

/** The running sessions. Where there are too many, the one without news for the longest time is forgotten unlearned. */
export class OpenSessions {
  readonly #table: StateTable<SessionState>;
  readonly #known: BoundedMap<string, true>;
  /** The key of the latest session: an observation asks for its session several times over. */
  #latest = { tenant: '', agentId: '', sessionId: '', text: '' };
  #touches = 0;

  constructor({ maxSessions, load }: { maxSessions: number; load: (key: string) => Uint8Array | undefined }) {
    this.#table = new StateTable<SessionState>({
      prefix: 'session/',
      capacity: maxSessions,
      load,
      plain: {
        to: (session) => session.toPlain(),
        from: (stored) => {
          // Only this table writes under its prefix.
          const plain = stored as PlainSession;
          return new SessionState(plain, plain);
        },
      },
    });
    this.#known = new BoundedMap(maxSessions, (key) => this.#table.delete(key));
  }

  get size(): number {
    return this.#known.size;
  }

  get evicted(): number {
    return this.#known.evicted;
  }

  find(key: SessionKey): SessionState | undefined {
    const text = this.#keyOf(key);
    return this.#known.peek(text) === undefined ? undefined : this.#table.get(text);
  }

  /** The session, begun where it is new, and marked as the latest to change. */
  change(key: SessionKey): SessionState {
    const text = this.#keyOf(key);
    const session = this.find(key) ?? new SessionState({ ...key, sessionId: key.sessionId ?? '' });
    session.touched = ++this.#touches;
    this.#table.set(text, session);
    this.#known.set(text, true);
    return session;
  }

  close(key: SessionKey): SessionState | undefined {
    const text = this.#keyOf(key);
    const session = this.find(key);
    this.#known.delete(text);
    if (session !== undefined) this.#table.delete(text);
    return session;
  }

  forgetAgent(tenant: string, agentId: string): void {
    const prefix = JSON.stringify([tenant, agentId]).slice(0, -1);
    for (const text of [...this.#known.entries()].map(([key]) => key).filter((key) => key.startsWith(`${prefix},`))) {
      this.#known.delete(text);
      this.#table.delete(text);
    }
  }

  restore(stored: Iterable<PlainSession>): void {
    const index = [...stored].map(({ touched, ...key }) => ({ touched, text: keyOf(key) }));
    for (const { touched, text } of index.sort((a, b) => a.touched - b.touched)) {
      this.#known.set(text, true);
      this.#touches = Math.max(this.#touches, touched);
    }
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#table.drain(puts, deletes);
  }

  #keyOf({ tenant, agentId, sessionId = '' }: SessionKey): string {
    const latest = this.#latest;
    if (
      latest.sessionId !== sessionId ||
      latest.agentId !== agentId ||
      latest.tenant !== tenant ||
      latest.text === ''
    ) {
      this.#latest = { tenant, agentId, sessionId, text: keyOf({ tenant, agentId, sessionId }) };
    }
    return this.#latest.text;
  }
}

function keyOf({ tenant, agentId, sessionId = '' }: SessionKey): string {
  return JSON.stringify([tenant, agentId, sessionId]);
}

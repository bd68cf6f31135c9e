import { decodeProtectedHeader } from 'jose';
import { SIGNED_KINDS, typeOf } from '../model/signed-message.js';
import { withDeadline } from './deadline.js';
import { isRecord, parseJson } from './json.js';
import { getBounded, type ObserverAddress } from './observer-http.js';
import type { StreamEvent } from './sse-parser.js';

/** How long the observer may keep one question, ms: below what proxies allow. */
const WAIT_MS = 20_000;

/** One question of the long poll. */
export interface PollQuestion {
  address: ObserverAddress;
  /** Where the gateway is; undefined asks for the full state. */
  after: string | undefined;
  /** Longest wait for the answer beyond what the observer was given, ms. */
  requestMs: number;
  maxBytes: number;
  signal: AbortSignal;
}

/**
 * Asks what there is to tell after a place, waiting for it.
 *
 * @returns the messages as the stream would have brought them, and the place to ask after next
 * @throws when nothing came, or nothing that can be read
 */
export async function pollCommands(question: PollQuestion): Promise<{ events: StreamEvent[]; cursor: string }> {
  const { address, after, requestMs, maxBytes, signal } = question;
  const path = `/v1/commands/poll?waitMs=${WAIT_MS}&after=${encodeURIComponent(after ?? '')}`;
  const { status, text } = await withDeadline(WAIT_MS + requestMs, signal, (within) =>
    getBounded(address, path, maxBytes, within),
  );
  if (status !== 200) throw new Error(`the observer answered ${status} to a poll`);
  const answer = parseJson(text);
  if (!isRecord(answer) || typeof answer['cursor'] !== 'string' || !Array.isArray(answer['messages'])) {
    throw new Error('the answer to a poll could not be read');
  }
  const { cursor } = answer;
  const events = answer['messages'].map((jws: unknown): StreamEvent => {
    if (typeof jws !== 'string') throw new Error('a message of a poll could not be read');
    return { event: kindOf(jws), data: jws, id: cursor };
  });
  return { events, cursor };
}

/** What a message says it is; whether that is true is the verifier's to find out. */
function kindOf(jws: string): string {
  const { typ } = decodeProtectedHeader(jws);
  return SIGNED_KINDS.find((kind) => typeOf(kind) === typ) ?? '';
}

import { bodyChunks } from './body-chunks.js';

/** Where the observer is and who asks. */
export interface ObserverAddress {
  /** Base URL, without a trailing slash. */
  url: string;
  key: string;
  fetch: typeof globalThis.fetch;
}

export interface ObserverReply {
  status: number;
  text: string;
  /** The server's wish, ms; undefined when it has none. */
  retryAfterMs: number | undefined;
}

const MAX_REPLY_BYTES = 1024 * 1024;
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * Posts JSON text and reads the (bounded) reply. Redirects are errors: they would carry the key elsewhere.
 *
 * @throws whatever `fetch` throws, or an Error when the reply is longer than a reply may be
 */
export async function postJson(
  address: ObserverAddress,
  path: string,
  body: string,
  signal: AbortSignal,
): Promise<ObserverReply> {
  const response = await address.fetch(address.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${address.key}`, 'content-type': 'application/json' },
    body,
    signal,
    redirect: 'error',
  });
  return reply(response, signal);
}

/** Reads a (bounded) reply, under the gateway's key. */
export async function getJson(address: ObserverAddress, path: string, signal: AbortSignal): Promise<ObserverReply> {
  const headers = { authorization: `Bearer ${address.key}` };
  return reply(await address.fetch(address.url + path, { headers, signal, redirect: 'error' }), signal);
}

/** As {@link getJson}, of an answer that may be longer than most. */
export async function getBounded(
  address: ObserverAddress,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<ObserverReply> {
  const headers = { authorization: `Bearer ${address.key}` };
  return reply(await address.fetch(address.url + path, { headers, signal, redirect: 'error' }), signal, maxBytes);
}

/** Reads a (bounded) public text, without the key. Redirects are errors: nobody else may answer in its place. */
export async function getText(
  address: Pick<ObserverAddress, 'url' | 'fetch'>,
  path: string,
  signal: AbortSignal,
): Promise<ObserverReply> {
  return reply(await address.fetch(address.url + path, { signal, redirect: 'error' }), signal);
}

async function reply(response: Response, signal: AbortSignal, maxBytes = MAX_REPLY_BYTES): Promise<ObserverReply> {
  const text = await readBounded(response, maxBytes, signal);
  return { status: response.status, text, retryAfterMs: retryAfterMs(response.headers.get('retry-after')) };
}

/** Whether the same request may succeed later. */
export function isTransient(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** A fault in words, with the cause that `fetch` hides. */
export function describeFault(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault);
  const { cause } = fault;
  if (!(cause instanceof Error)) return fault.message;
  const code = 'code' in cause && typeof cause.code === 'string' ? `${cause.code} ` : '';
  return `${fault.message}: ${code}${cause.message}`;
}

async function readBounded(response: Response, maxBytes: number, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of bodyChunks(response, signal)) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`the reply is longer than ${maxBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : undefined;
}

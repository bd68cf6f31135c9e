import { lookup, type LookupAddress } from 'node:dns';
import { Agent as PlainAgent, request as requestPlain, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as requestSecure } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressRules } from './address-rules.js';

/** More of an answer is not read. */
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_RETRY_AFTER_MS = 60_000;

/** A request that was not sent, because of where it would have gone. The message is for a person. */
export class DestinationError extends Error {
  override name = 'DestinationError';
}

export type Resolve = (hostname: string, callback: (error: Error | null, addresses: LookupAddress[]) => void) => void;

const systemResolve: Resolve = (hostname, callback) => lookup(hostname, { all: true }, callback);

export interface GuardedPostOptions {
  url: string;
  rules: AddressRules;
  /** Longest wait for the whole answer, ms. */
  timeoutMs: number;
  /** Certificates to trust instead of the system's, PEM. */
  ca?: string | undefined;
  /** All addresses of a name; the system's resolver when left out. */
  resolve?: Resolve;
}

export interface PostAnswer {
  status: number;
  /** Empty when it was longer than is read. */
  text: string;
  /** The other side's wish, ms. */
  retryAfterMs?: number;
}

/**
 * Posts to one configured URL and nowhere else. The address is checked when a connection is made, and the connection
 * goes to exactly what was checked: a name that changes its meaning afterwards changes nothing. A redirect is an answer
 * like any other, and is not followed; what comes back is read up to a limit and shown to nobody.
 */
export class GuardedPost {
  readonly #options: GuardedPostOptions;
  readonly #url: URL;
  readonly #agent: PlainAgent;

  constructor(options: GuardedPostOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    const connections = { keepAlive: true, maxSockets: 1, timeout: options.timeoutMs };
    this.#agent = this.#isSecure ? new SecureAgent(connections) : new PlainAgent(connections);
  }

  get #isSecure(): boolean {
    return this.#url.protocol === 'https:';
  }

  /**
   * @throws DestinationError where the address may not be connected to; otherwise an Error that says what went wrong,
   *   without anything that the other side wrote
   */
  async post(headers: Record<string, string>, body: string, signal: AbortSignal): Promise<PostAnswer> {
    const literal = this.#url.hostname.replace(/^\[|\]$/g, '');
    // Of an address no name is looked up, so that the check below would not be made.
    const refusal = isIP(literal) === 0 ? undefined : this.#refusal(literal);
    if (refusal !== undefined) throw refusal;
    try {
      return await this.#send(headers, body, signal);
    } catch (error) {
      // The other side closed a kept connection just when it was used again.
      if (error instanceof StaleConnectionError) return this.#send(headers, body, signal);
      throw error;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(headers: Record<string, string>, body: string, signal: AbortSignal): Promise<PostAnswer> {
    const { timeoutMs, ca } = this.#options;
    return new Promise((resolve, reject) => {
      const options = {
        method: 'POST',
        agent: this.#agent,
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        lookup: this.#lookup,
        maxHeaderSize: MAX_HEADER_BYTES,
        ...(ca === undefined ? {} : { ca }),
      };
      const request = this.#isSecure ? requestSecure(this.#url, options) : requestPlain(this.#url, options);
      const stop = (): void => void request.destroy(new Error('the observer is stopping'));
      const timer = setTimeout(() => request.destroy(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
      request.once('close', () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      });
      signal.addEventListener('abort', stop, { once: true });
      request.once('error', (error) => reject(nameFault(error, request)));
      request.once('response', (response) => {
        readAnswer(response).then(resolve, reject);
      });
      if (signal.aborted) stop();
      else request.end(body);
    });
  }

  readonly #lookup: LookupFunction = (hostname, options, callback) => {
    const { resolve = systemResolve } = this.#options;
    resolve(hostname, (error, addresses) => {
      const fault = error ?? this.#faultOf(addresses);
      const [first] = addresses;
      if (fault !== undefined) callback(fault, []);
      else if (options.all === true) callback(null, addresses);
      else callback(null, first?.address ?? '', first?.family);
    });
  };

  /** All of them: which one a connection takes is not decided here. */
  #faultOf(addresses: readonly LookupAddress[]): Error | undefined {
    if (addresses.length === 0) return new Error('the name has no address');
    return addresses.map(({ address }) => this.#refusal(address)).find((refusal) => refusal !== undefined);
  }

  #refusal(address: string): DestinationError | undefined {
    const { rules } = this.#options;
    const range = rules.refusal(address);
    if (range !== undefined) {
      return new DestinationError(`${address} is ${range}; if the gateway is there, list it in allowAddresses`);
    }
    if (this.#isSecure || rules.isListed(address)) return undefined;
    return new DestinationError(`${address} is reached without TLS; use https, or list it in allowAddresses`);
  }
}

class StaleConnectionError extends Error {
  override name = 'StaleConnectionError';
}

/** What may be told of a fault: never what the other side wrote. */
function nameFault(error: Error, request: ClientRequest): Error {
  if (!('code' in error) || typeof error.code !== 'string') return error;
  if (request.reusedSocket && error.code === 'ECONNRESET') return new StaleConnectionError(error.code);
  return new Error(`${error.code}${'syscall' in error ? ` at ${String(error.syscall)}` : ''}`);
}

function readAnswer(response: IncomingMessage): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const answer = (text: string): PostAnswer => {
      const retryAfterMs = 1_000 * Number(response.headers['retry-after']);
      const isWish = Number.isFinite(retryAfterMs) && retryAfterMs >= 0;
      return {
        status: response.statusCode ?? 0,
        text,
        ...(isWish ? { retryAfterMs: Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) } : {}),
      };
    };
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
      else {
        resolve(answer(''));
        response.destroy();
      }
    });
    response.once('end', () => resolve(answer(Buffer.concat(chunks).toString('utf8'))));
    response.once('error', (error) => reject(new Error(`the answer broke off: ${codeOf(error)}`)));
    response.once('close', () => reject(new Error('the answer broke off')));
  });
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
